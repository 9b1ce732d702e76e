"""Sides: started, run in turn, their answers compared with the first one's, tabulated."""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.peers.task import Size, differences, disagreements

TABLE = "{:<28} {:>9} {:>9} {:>9} {:>8} {:>8}  {}"
HEADS = ("side", "median s", "least s", "cpu s", "peak MB", "ratio", "")

# pyarrow reserves 1 GiB of addresses at its first allocation; they would count as allocated.
ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system"}


@dataclass(frozen=True)
class Side:
    """Somebody's way of solving a task."""

    name: str
    module: str
    function: str
    options: dict[str, Any] = field(default_factory=dict)
    cap: int = 0  # bytes that the process may allocate; 0: any
    python: str = sys.executable
    needs: tuple[str, ...] = ()
    compared: bool = True


@dataclass
class Measured:
    """What the runs of a side took, and why there are none."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: float = 0.0
    note: str = ""
    failed: bool = False

    @property
    def median(self) -> float:
        """Of the seconds; NaN if it did not run."""
        return statistics.median(self.seconds) if self.seconds else float("nan")


class Child:
    """A side's process."""

    def __init__(self, side: Side, folder: Path, size: Size) -> None:
        order = {"module": side.module, "function": side.function, "options": side.options,
                 "cap": side.cap, "folder": str(folder), "size": asdict(size)}  # fmt: skip
        root = Path(__file__).parents[3]
        threads = {"POLARS_MAX_THREADS": str(size.threads)}
        self.log = open(folder / f"{side.module}-{side.function}.log", "w+")
        self.process = subprocess.Popen(
            [side.python, "-m", "tests.benchmarks.peers.child", json.dumps(order)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, cwd=root,
            env=os.environ | ENVIRONMENT | threads,
        )  # fmt: skip

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.log.close()

    def answer(self) -> dict[str, float]:
        """The next line of JSON; the child's last words if there is none."""
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        code = self.process.wait()
        self.log.seek(0)
        said = [line.strip() for line in self.log if line.strip()] or ["no message"]
        raise RuntimeError(f"exit {code}: {said[-1][:120]}")

    def run(self, to: Path) -> dict[str, float]:
        """Run once and save the answer."""
        assert self.process.stdin
        self.process.stdin.write(f"{to}\n")
        self.process.stdin.flush()
        return self.answer()


def missing(side: Side) -> list[str]:
    """Packages that a side needs and its Python lacks."""
    if side.python == sys.executable:
        return [n for n in side.needs if importlib.util.find_spec(n) is None]
    probe = f"import importlib.util as u; print(*[n for n in {side.needs!r} if not u.find_spec(n)])"
    done = subprocess.run([side.python, "-c", probe], capture_output=True, text=True, check=True)
    return done.stdout.split()


def measure(sides: Sequence[Side], folder: Path, size: Size, repeats: int) -> list[Measured]:
    """Run the sides in turn; from the first run on, answers must be those of the first side."""
    results = [Measured() for _ in sides]
    children: dict[int, Child] = {}
    for old in folder.glob("answer-*.npz"):
        old.unlink()
    with ExitStack() as stack:
        for i, side in enumerate(sides):
            absent = missing(side)
            if absent:
                results[i].note = f"not run: {', '.join(absent)} not installed"
                continue
            child = stack.enter_context(Child(side, folder, size))
            if _try(results[i], child.answer) is not None:
                children[i] = child
        for _ in range(repeats):
            for i in list(children):
                side = sides[i]
                to = folder / f"answer-{i}.npz"
                done = _try(results[i], lambda c=children[i], to=to: c.run(to))
                if done is None:
                    del children[i]
                    continue
                results[i].seconds.append(done["seconds"])
                results[i].cpu.append(done["cpu"])
                results[i].peak = done["peak"]
                if i and side.compared and len(results[i].seconds) == 1:
                    _compare(results[i], folder / "answer-0.npz", to)
                if results[i].failed:
                    del children[i]
    return results


def _try(result: Measured, call: Any) -> dict[str, float] | None:
    try:
        return call()
    except (RuntimeError, BrokenPipeError) as problem:
        result.note, result.failed = str(problem), True
        return None


def _compare(result: Measured, first: Path, own: Path) -> None:
    if not first.exists():
        result.note = "no answer to compare with"
        return
    with np.load(first) as ours, np.load(own) as theirs:
        found = differences(dict(ours), dict(theirs))
    wrong = disagreements(found)
    result.failed = bool(wrong)
    result.note = "; ".join(wrong) or f"same answers, to {max(found.values()):.0e}"


def table(sides: Sequence[Side], results: Sequence[Measured], unit: int = 0) -> str:
    """Lines; ratios are to the side number `unit`."""
    lines = [TABLE.format(*HEADS)]
    for side, m in zip(sides, results, strict=True):
        if not m.seconds:
            lines.append(TABLE.format(side.name, *"-----", m.note))
            continue
        lines.append(TABLE.format(
            side.name, f"{m.median:.3f}", f"{min(m.seconds):.3f}",
            f"{statistics.median(m.cpu):.3f}", f"{m.peak:.0f}",
            f"{m.median / results[unit].median:.2f}", m.note,
        ))  # fmt: skip
    return "\n".join(lines)
