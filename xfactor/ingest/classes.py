"""Assets whose reports are those of another: share classes, and mistakes of vendors.

Which these are follows from all reports in a store, and from the companies that its assets belong
to. So it does not matter in what order files came.
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from xfactor.store import read_table

TABLE = "companies"
# Balance sheets are rounded to millions, so among some hundred companies one equal figure is
# chance; two equal ones, and none that differs, are not.
EQUAL_PERIODS = 2
# No company has more share classes: a figure that so many share is a placeholder.
MOST_CLASSES = 20
PERIOD = ["asset", "period_end"]


def read_companies(store: str | os.PathLike[str]) -> dict[Any, str]:
    """Return the company of each asset, as far as a list of securities told.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    dict
        Label -> CIK; where lists differ, that of the last.
    """
    rows = read_table(store, TABLE)
    return dict(zip(rows["asset"].tolist(), rows["cik"].tolist(), strict=True)) if rows else {}


def company_rows(told: Mapping[Any, str], there: Mapping[Any, str]) -> dict[str, np.ndarray]:
    """Return what a list of securities says anew, as rows of the table.

    Parameters
    ----------
    told, there
        Label -> CIK: of the list, and of the store.

    Returns
    -------
    dict
        Columns of the rows.
    """
    new = [(a, c) for a, c in sorted(told.items()) if there.get(a) != c]
    return {
        "asset": np.array([a for a, _ in new], np.int64),
        "cik": np.array([c for _, c in new], object),
    }


def repeats(
    equity: pd.DataFrame, shares: pd.DataFrame, companies: Mapping[Any, str], labels: pd.Index
) -> dict[Any, Any]:
    """Find the assets whose reports are those of another.

    Parameters
    ----------
    equity, shares
        All records of `book_equity` and `shares_outstanding`.
    companies
        Label -> company, where known. Assets of one company repeat each other, and so do those
        whose book equity is equal in every period that both have, two at least.
    labels
        Those of the panel, in its order.

    Returns
    -------
    dict
        Label of an asset that is not to be shown -> that which stands for it: with share counts
        for the most periods, then the first of the panel.
    """
    place = {a: i for i, a in enumerate(labels.tolist())}
    groups: dict[Any, set[Any]] = {}
    for a, b in [*_same_company(companies, {*equity["asset"], *shares["asset"]}),
                 *_same_balance_sheet(equity)]:  # fmt: skip
        together = groups.get(a, {a}) | groups.get(b, {b})
        groups.update(dict.fromkeys(together, together))
    counts = shares.drop_duplicates(PERIOD)["asset"].value_counts().to_dict()
    kept = {
        a: min(g, key=lambda a: (-counts.get(a, 0), place.get(a, len(place)), a))
        for a, g in groups.items()
    }
    return {a: kept[a] for a in sorted(kept) if kept[a] != a}


def _same_company(companies: Mapping[Any, str], assets: set[Any]) -> list[tuple[Any, Any]]:
    first: dict[str, Any] = {}
    known = [a for a in sorted(assets) if a in companies]
    return [(first.setdefault(companies[a], a), a) for a in known]


def _same_balance_sheet(equity: pd.DataFrame) -> list[tuple[Any, Any]]:
    sheet = equity.sort_values(["known_at", "quarters"]).drop_duplicates(PERIOD)
    sheet = sheet[[*PERIOD, "value"]]
    figures = ["period_end", "value"]
    said = sheet[sheet["value"] != 0]  # which may stand for nothing
    several = said[said.groupby(figures)["asset"].transform("size").between(2, MOST_CLASSES)]
    pairs = several.merge(several, on=figures)
    pairs = pairs[pairs["asset_x"] < pairs["asset_y"]]
    alike = pairs.groupby(["asset_x", "asset_y"]).size()
    alike = alike[alike >= EQUAL_PERIODS].rename("alike").reset_index()
    one, other = sheet.add_suffix("_x"), sheet.add_suffix("_y")
    both = alike.merge(one, on="asset_x").merge(other, on="asset_y")
    both = both[both["period_end_x"] == both["period_end_y"]]
    differ = both[both["value_x"] != both["value_y"]].groupby(["asset_x", "asset_y"]).size()
    found = alike.set_index(["asset_x", "asset_y"]).index.difference(differ.index)
    return list(found)
