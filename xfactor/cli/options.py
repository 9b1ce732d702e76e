"""Types of options, and options that several commands have."""

import argparse
import re
import sys


def count(text: str) -> int:
    """Parse a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def size(text: str) -> int:
    """Parse a size such as 2GB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)(i?)[bB]?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write e.g. 2GB or 500MB")
    return int(
        float(match[1]) * (1024 if match[3] else 1000) ** " kmgt".index(match[2].lower() or " ")
    )


def symbols(text: str) -> list[str]:
    """Parse a list of symbols."""
    return [s.strip() for s in text.split(",") if s.strip()]


def counts(text: str) -> tuple[int, ...]:
    """Parse whole numbers of at least 1, with commas between them."""
    return tuple(count(part.strip()) for part in text.split(","))


def momentum(text: str) -> tuple[int, int]:
    """Parse LOOKBACK-SKIP."""
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no pair of dates; write e.g. 252-21")
    if int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r}: the first must exceed the second, e.g. 252-21")
    return int(match[1]), int(match[2])


def pair(text: str) -> tuple[str, str]:
    """Parse OURS=THEIRS."""
    ours, equals, theirs = text.partition("=")
    if not (ours and equals and theirs):
        raise argparse.ArgumentTypeError(f"{text!r} is no pair; write e.g. asset=Ticker")
    return ours, theirs


def columns_option(p: argparse.ArgumentParser) -> None:
    """Add ``--columns OURS=THEIRS``."""
    p.add_argument(
        "--columns", type=pair, action="append", default=[], metavar="OURS=THEIRS",
        help="name of a column in the file, e.g. asset=Ticker (may be repeated)",
    )  # fmt: skip


def terminal() -> bool:
    """Say whether to show progress: to people, not to log files."""
    return sys.stderr.isatty()
