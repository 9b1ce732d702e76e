"""The asset of every row by its symbol and its date."""

import numpy as np
import pandas as pd

from xfactor.ingest.cells import Words

STRANGER = -3
# A symbol's code and a day in one integer: days from 1678 to 2262 need 18 bits.
DAY, DAY_BITS, DAY_ZERO = 86_400_000_000_000, 18, 1 << 17


class Owners:
    """Finds the asset that has a symbol on a day.

    Parameters
    ----------
    spells
        ``asset, symbol, start, end``: asset int64, days included; those of a symbol do not overlap.
    """

    def __init__(self, spells: pd.DataFrame) -> None:
        ordered = spells.sort_values(["symbol", "start"], kind="stable")
        code, symbols = pd.factorize(ordered["symbol"])
        owner, assets = pd.factorize(ordered["asset"], sort=True)
        self.spells = spells
        self._symbols, self._assets = [str(s) for s in symbols], [str(a) for a in assets]
        self._start = _keyed(code, ordered["start"].to_numpy())
        self._end = _keyed(code, ordered["end"].to_numpy())
        self._owner = owner.astype(np.int32)

    def words(self) -> Words:
        """Return the symbols, numbered as `find` takes them."""
        return Words("assets", code={s: i for i, s in enumerate(self._symbols)})

    def labels(self) -> list[str]:
        """Return the assets, numbered as `find` gives them."""
        return self._assets

    def find(self, codes: np.ndarray, dates: np.ndarray) -> np.ndarray:
        """Return int32 codes of assets; STRANGER where nobody has the symbol on the day."""
        known = (codes >= 0) & ~np.isnat(dates)
        key = _keyed(np.where(known, codes, 0), np.where(known, dates, np.datetime64(0, "ns")))
        spell = np.searchsorted(self._start, key, "right") - 1
        inside = (spell >= 0) & (key <= self._end[spell])
        return np.where(known, np.where(inside, self._owner[spell], STRANGER), codes)


def _keyed(code: np.ndarray, day: np.ndarray) -> np.ndarray:
    days = day.astype("datetime64[ns]").view(np.int64) // DAY
    return (code.astype(np.int64) << DAY_BITS) + days + DAY_ZERO
