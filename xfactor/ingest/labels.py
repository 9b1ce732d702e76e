"""Labels of a panel, and the asset of every row: by its code, and where need be by its date."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from xfactor import panel

NEVER = np.iinfo(np.int64).max
NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Later:
    """Codes that become another asset: from a date position on, the position of that asset."""

    code: np.ndarray = field(default_factory=lambda: NONE)
    start: np.ndarray = field(default_factory=lambda: NONE)
    position: np.ndarray = field(default_factory=lambda: NONE)


@dataclass(frozen=True)
class Labels:
    """Labels of a panel, and the position of each code of an asset among them; -1 if none.

    The last position stands for the code -1, of rows that are not kept. `later` are sorted by
    code and date.
    """

    dates: np.ndarray
    assets: np.ndarray
    symbols: np.ndarray | None
    position: np.ndarray
    later: Later = field(default_factory=Later)

    @property
    def index(self) -> pd.DatetimeIndex:
        """Return the dates as an index."""
        return pd.DatetimeIndex(self.dates.view("datetime64[ns]"), name=panel.DATE)

    @property
    def sizes(self) -> dict[str, int]:
        """Return the lengths of the dims."""
        return {panel.DATE: len(self.dates), panel.ASSET: len(self.assets)}

    def coords(self) -> dict[str, object]:
        """Return the coordinates of the panel."""
        found: dict[str, object] = {panel.DATE: self.index, panel.ASSET: self.assets}
        return found if self.symbols is None else {**found, "symbol": (panel.ASSET, self.symbols)}

    def find(self, code: np.ndarray, date: np.ndarray) -> np.ndarray:
        """Return the position of the asset of each row, given its code and its date's position."""
        at = self.position[code]
        if len(self.later.code):
            changes = np.zeros(len(self.position), bool)
            changes[self.later.code] = True
            rows = np.flatnonzero(changes[code])
            width = len(self.dates) + 1
            spell = np.searchsorted(
                self.later.code * width + self.later.start,
                code[rows].astype(np.int64) * width + date[rows], "right",
            ) - 1  # fmt: skip
            own = (spell >= 0) & (self.later.code[spell] == code[rows])
            at[rows[own]] = self.later.position[spell[own]]
        return at


def label(
    firsts: Sequence[np.ndarray], dates: Sequence[np.ndarray], words: Sequence[str], given: bool
) -> Labels:
    """Order the labels of one or several tables.

    Parameters
    ----------
    firsts
        Of each table the first date of each code, `NEVER` for none; codes are the same in all.
    dates
        Of each table.
    words
        Of the codes.
    given
        The words are whole numbers and become the labels, ascending. Otherwise assets are
        numbered 1, 2, ... in the order of (first date, word).

    Returns
    -------
    Labels
        Of the panel.
    """
    first = np.full(len(words), NEVER, np.int64)
    for one in firsts:  # an earlier table does not know the words of later ones
        first[: len(one)] = np.minimum(first[: len(one)], one)
    used = np.flatnonzero(first < NEVER)
    if given:
        order = used[np.argsort(np.array([int(words[i]) for i in used.tolist()], np.int64))]
    else:
        order = np.array(sorted(used.tolist(), key=lambda i: (first[i], words[i])), np.int64)
    position = np.full(len(words) + 1, -1, np.int32)
    position[order] = np.arange(len(order))
    symbols = np.array([words[i] for i in order.tolist()], str)
    assets = symbols.astype(np.int64) if given else np.arange(1, len(order) + 1)
    return Labels(np.unique(np.concatenate(dates)), assets, None if given else symbols, position)


def save_labels(labels: Labels, path: Path) -> None:
    """Write what tasks need of labels.

    Parameters
    ----------
    labels
        Of a panel.
    path
        The file.
    """
    later = labels.later
    np.savez(
        path, dates=labels.dates, assets=labels.assets, position=labels.position,
        later_code=later.code, later_start=later.start, later_position=later.position,
    )  # fmt: skip


@lru_cache(maxsize=8)
def read_labels(path: str) -> Labels:
    """Read labels, once in a process.

    Parameters
    ----------
    path
        Written by `save_labels`.

    Returns
    -------
    Labels
        Without symbols.
    """
    with np.load(path) as found:
        later = Later(*(found[f"later_{k}"] for k in ("code", "start", "position")))
        return Labels(found["dates"], found["assets"], None, found["position"], later)
