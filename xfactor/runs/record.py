"""What a run was asked for, kept beside its results: nothing of another call is gone on with."""

import json
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from xfactor import panel as _panel
from xfactor.store.files import replace_file

FILE = "run.json"
# How a message names what differs; else by its own name.
WORDS = {"store": "the store", "release": "xfactor", "portfolio": "the portfolio's assets"}


@dataclass(frozen=True)
class Record:
    """A run.

    Parameters
    ----------
    call
        Store and options; plain JSON.
    source
        Digest of the values that it reads.
    run
        Its name, which the chunks carry that it has written: those of another are not taken over.
    finished
        All files are written.
    """

    call: dict[str, Any]
    source: str
    run: str = ""
    finished: bool = False

    def save(self, out: Path) -> "Record":
        """Write it to the folder of a run, in one step; sweep what a killed one has left of it."""
        for left in out.glob(f"{FILE}.*.partial"):
            left.unlink(missing_ok=True)
        replace_file(out / FILE, json.dumps(asdict(self), indent=1).encode())
        return self

    def anew(self) -> "Record":
        """Return it under a name of its own: as one that has written nothing yet."""
        return replace(self, run=uuid.uuid4().hex, finished=False)


def read(out: Path) -> Record | None:
    """Return the record of a folder, None if there is none."""
    try:
        return Record(**json.loads((out / FILE).read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as problem:
        raise _panel.error(
            f"{out / FILE} cannot be read: {problem}",
            "the record of a run",
            "Run it anew, without --resume and --only-new",
        ) from problem


def check_same(there: Record, asked: Record, out: Path) -> None:
    """Raise unless a run in a folder was asked for what is asked now.

    Parameters
    ----------
    there
        The run in the folder.
    asked
        What is asked now.
    out
        The folder.
    """
    for name, value in asked.call.items():
        old = there.call.get(name)
        if old != value:
            word = WORDS.get(name, name)
            raise _panel.error(
                f"the run in {out} was made with {word} {_shown(old)}, "
                f"and this one has {_shown(value)}",
                "the store and the options of that run",
                "Use them, another --out, or run it anew: without --resume and --only-new",
            )


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    return repr(value) if isinstance(value, str) else _panel.shown(value)
