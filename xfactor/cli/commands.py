"""The command line: parse, call one function, print."""

import argparse
import os
import sys
from collections.abc import Sequence

from xfactor import __version__
from xfactor.cli import ingest, lecture, report, store
from xfactor.panel import PanelError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments after the program's name; those of the process if not given.

    Returns
    -------
    int
        Exit status: 0, 1 if a check found damage, 2 if the input could not be used.
    """
    args = parser().parse_args(argv)
    try:
        return args.run(args) or 0
    except PanelError as problem:
        print(f"xfactor: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as problem:
        where = f" ({problem.filename})" if problem.filename else ""
        print(
            f"xfactor: {problem.strerror or problem}{where}; needed a file or folder to read or "
            "write. Check the path, the rights and the space.",
            file=sys.stderr,
        )
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    made = argparse.ArgumentParser(
        prog="xfactor", description="Fundamental factor models, out of core."
    )
    made.add_argument("--version", action="version", version=f"xfactor {__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for part in (lecture, report, store, ingest):
        part.add_commands(commands)
    ingest.add_explain(commands)
    return made
