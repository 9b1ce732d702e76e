"""Parts of the lecture, for tables of few lines: the sides of each."""

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.peers.sides import Side

PACKAGES = ("zipline-reloaded", "alphalens-reloaded", "pyarrow")


def peer_python(folder: Path | None) -> str:
    """The Python of an environment with zipline and alphalens, made if it is not there.

    They need versions of pandas and others that need not be ours.
    """
    if folder is None:
        return sys.executable
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        print(f"making {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return str(python)


def parts(python: str) -> dict[str, list[Side]]:
    """What is compared, and by whom; xfactor comes first."""

    def side(name: str, function: str, where: str = sys.executable) -> Side:
        needs = () if name == "xfactor" else (name,)
        return Side(name, f"in_{name}", function, python=where, needs=needs)

    return {
        "ordinal ranks of one field on every date": [
            side("xfactor", "ranks"), side("polars", "ranks"), side("zipline", "ranks", python),
        ],
        "SMB and HML, the n names at each end": [
            side("xfactor", "sorts"), side("polars", "sorts"), side("zipline", "sorts", python),
        ],
        "decile returns and rank correlations": [
            side("xfactor", "deciles"), side("alphalens", "deciles", python),
        ],
    }  # fmt: skip
