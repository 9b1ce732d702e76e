"""The task that all sides solve, and when two answers agree.

The whole lecture, from disk. The panel (`market`) has a market cap, a book to price, a price and a
return for each date and listed asset; 15 % of the cells are missing. Then:

1. size = log market cap, value = book to price, momentum = price 19 dates ago / price 38 dates ago
   - 1 where there is a price today;
2. SMB, HML, MOM: each date's ordinal ranks (ties by asset), the next return of the `n` at each end,
   means over known returns, long less short;
3. betas of each asset over the whole history (constant and the three factors, 60 observations);
   each date's regression of returns on them; means with Newey-West errors of 5 lags (Fama-MacBeth);
4. rolling betas of each asset over 100 dates with at least 60 observations; to have something small
   to compare, each date's mean over the assets with a return, and their number;
5. exposures: characteristics clipped at their 1 % and 99 % quantiles (linear), z-scores (ddof 0);
   each date's regression of the next returns on them; means as in 3.
"""

from dataclasses import dataclass

import numpy as np

FIELDS = ("market_cap", "book_to_price", "close", "returns")
TRAITS = ("size", "value", "momentum")
FACTORS = ("SMB", "HML", "MOM")
SKIP, LOOKBACK, WINDOW, LEAST, LAGS, CLIP = 19, 38, 100, 60, 5, 0.01

# The parts of which `parts` makes small tables: ordinal ranks of book to price; SMB and HML as in
# the lecture (returns of the same date); mean next returns by decile of market cap, and rank
# correlations with them. To have something small to compare, the ranks of a date are added up,
# each times the asset's number modulo MIXED.
PART_FIELDS = ("market_cap", "book_to_price", "returns")
MIXED = 97

# Relative to the largest value of an answer. Rolling sums that subtract lose digits.
TOLERANCES = {"rolling": 1e-8}
TOLERANCE = 1e-10

Answer = dict[str, np.ndarray]


@dataclass(frozen=True)
class Size:
    """Of a panel, and of the legs of its factors."""

    dates: int
    assets: int
    n: int
    threads: int


# What every side runs first: what is compiled at the first use is compiled then.
TINY = Size(300, 80, 16, 1)


def differences(ours: Answer, theirs: Answer) -> dict[str, float]:
    """The largest difference of each answer, relative to its largest value; inf for a misfit."""
    found = {}
    for name, a in ours.items():
        b = np.asarray(theirs[name], np.float64)
        same = a.shape == b.shape and bool((np.isnan(a) == np.isnan(b)).all())
        scale = np.nanmax(np.abs(a), initial=0.0, where=~np.isnan(a)) or 1.0
        gap = np.nanmax(np.abs(a - b), initial=0.0, where=~np.isnan(a)) if same else np.inf
        found[name] = float(gap / scale)
    return found


def disagreements(found: dict[str, float]) -> list[str]:
    """Answers that differ by more than their tolerance."""
    return [
        f"{name} differs by {gap:.1e}"
        for name, gap in found.items()
        if not gap <= TOLERANCES.get(name.split("_")[0], TOLERANCE)
    ]
