"""What is known of the companies behind the symbols: their sectors, and which they are."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest.asked import path_of
from xfactor.ingest.fields import constant_rows
from xfactor.ingest.prices import SYMBOLS
from xfactor.ingest.tables import Column, read_table

SECTOR = "sector, one for all dates"
COLUMNS = (
    Column("asset", "text", SYMBOLS, True),
    Column("sector", "text", ("gics sector", "industry sector")),
    Column("cik", "text"),
)


@dataclass(frozen=True)
class Securities:
    """Symbol -> sector, and symbol -> company (CIK), where known."""

    sectors: Mapping[str, str]
    companies: Mapping[str, str]


def read_securities(source: str | os.PathLike[str]) -> Securities:
    """Read a list of securities.

    Parameters
    ----------
    source
        Parquet or CSV file, one row per symbol, with a sector and/or a CIK.

    Returns
    -------
    Securities
        Two mappings.

    Raises
    ------
    PanelError
        If it cannot be read, has neither column, or a symbol stands there twice.
    """
    table = read_table(path_of("securities", source), COLUMNS, one_of=("sector", "cik"))
    frame = pd.DataFrame({name: text.values() for name, text in table.texts.items()})
    frame = frame[frame["asset"].notna()]
    twice = frame["asset"].duplicated()
    if twice.any():
        raise panel.error(
            f"{source} has {frame['asset'][twice].iloc[0]!r} more than once",
            "one row for each symbol",
            "Remove the duplicates",
        )
    found = frame.set_index("asset")

    def column(name: str) -> dict[str, str]:
        if name not in found:
            return {}
        there = found[name].dropna()
        return dict(zip(map(str, there.index), there, strict=True))

    return Securities(column("sector"), column("cik"))


def sector_codes(
    symbols: Iterable[str], sectors: Mapping[str, str], before: xr.DataArray | None = None
) -> tuple[np.ndarray, list[str]]:
    """Number the sectors in alphabetical order.

    Parameters
    ----------
    symbols
        Those of the panel.
    sectors
        Symbol -> sector.
    before
        (asset,), the codes that the panel has, with their words as attribute: they stay where
        `sectors` does not name a symbol.

    Returns
    -------
    tuple
        int16 code of each symbol, -1 where there is none; the sectors, of one word each.
    """
    told = {s: "_".join(w.split()) for s, w in sectors.items()}
    there = [] if before is None else before.attrs["flag_meanings"].split()
    words = sorted({*told.values(), *there})
    number = {word: i for i, word in enumerate(words)}
    old = [panel.MISSING_CODE] * len(list(symbols))
    if before is not None:
        moved = np.array([*(number[w] for w in there), panel.MISSING_CODE])
        old = moved[before.to_numpy()].tolist()
    codes = [number[told[s]] if s in told else c for s, c in zip(symbols, old, strict=True)]
    return np.array(codes, np.int16), words


def sector_field(
    stored: xr.Dataset, symbols: pd.Index, sectors: Mapping[str, str]
) -> xr.DataArray | None:
    """Return the field `sector` of a store, with its codes where a list of sectors names none.

    Parameters
    ----------
    stored
        An open store.
    symbols
        Of its assets.
    sectors
        Symbol -> sector.

    Returns
    -------
    xarray.DataArray or None
        Lazy (date, asset); None where there is nothing to say, or the store has a sector that is
        not of this kind.
    """
    if not sectors:
        return None
    before = None
    if "sector" in stored:
        if stored["sector"].attrs.get("long_name") != SECTOR:
            return None
        before = stored["sector"].isel({panel.DATE: -1}).compute()
    codes, words = sector_codes(symbols, sectors, before)
    return constant_rows(stored, "sector", codes).assign_attrs(
        long_name=SECTOR,
        flag_values=list(range(len(words))),
        flag_meanings=" ".join(words),
        fill="forward",
    )


def renews(stored: xr.Dataset, sector: xr.DataArray) -> bool:
    """Say whether a store has a sector, and another one.

    Parameters
    ----------
    stored
        An open store.
    sector
        What it is to have.

    Returns
    -------
    bool
        True if it has to be written.
    """
    if "sector" not in stored:
        return False
    old, last = stored["sector"], {panel.DATE: -1}
    same = old.attrs["flag_meanings"] == sector.attrs["flag_meanings"]
    return not (same and np.array_equal(old.isel(last), sector.isel(last)))
