"""The command line."""

from xfactor.cli.commands import main

__all__ = ["main"]
