"""Read a table of which asset had which symbol when."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from xfactor import panel
from xfactor.identity import spells_from_table
from xfactor.ingest.cells import WHOLE, ZEROS
from xfactor.ingest.dates import Dates, shown, words_of
from xfactor.ingest.plan import check_once, find_column
from xfactor.ingest.schema import Field
from xfactor.ingest.sources import Part, Source, find_parts
from xfactor.ingest.tables import no_column

SYMBOL = Field("symbol", aliases=("ticker", "ticker symbol", "tsymbol"))
COMPANY = Field(
    "id",
    aliases=("asset", "permno", "permaticker", "sid", "asset id", "company", "cik", "figi"),
)
START = Field("start", aliases=("start date", "from", "first date", "namedt", "begin"))
END = Field("end", aliases=("end date", "to", "last date", "nameendt", "nameenddt"))
OPEN = ("", "NaT", "None", "nan")


def read_spells(source: Source | Sequence[Source]) -> pd.DataFrame:
    """Read a table of who had which symbol when.

    Parameters
    ----------
    source
        Columns symbol, id, start and end, the last two empty where open.

    Returns
    -------
    pandas.DataFrame
        As of `spells_from_table`.

    Raises
    ------
    PanelError
        If a column is missing, a date cannot be read, or spells of a symbol overlap.
    """
    frames = [_frame(part) for part in find_parts(source)]
    whole = pd.concat(frames, ignore_index=True)
    if not len(whole):
        raise panel.error(
            "symbols= has no rows", "one for each symbol of each asset", "Check the file"
        )
    company = whole["company"]
    if company.map(lambda c: c is not None and WHOLE.fullmatch(c) is not None).all():
        company = company.astype(np.int64)
    return spells_from_table(whole["symbol"].tolist(), whole["start"], whole["end"], company)


def _frame(part: Part) -> pd.DataFrame:
    names = {f.name: find_column(f, part.header) for f in (SYMBOL, COMPANY, START, END)}
    for ours, theirs in names.items():
        if theirs is None:
            raise no_column(part.name, part.header, False, f"no column for {ours!r}", ours)
        check_once(part, theirs)
    found: dict[str, list[np.ndarray]] = {n: [] for n in names}
    wanted = [n for n in names.values() if n is not None]
    for batch in part.batches(wanted):
        for ours, theirs in zip(names, wanted, strict=True):
            cells = batch.columns[theirs]
            read = _days(part, theirs, cells) if ours in ("start", "end") else _texts(cells)
            found[ours].append(read)
    columns = {n: np.concatenate(v or [np.empty(0, object)]) for n, v in found.items()}
    return pd.DataFrame(columns).rename(columns={"id": "company"})


def _texts(column: pa.Array) -> np.ndarray:
    words = [ZEROS.sub("", shown(column, i).strip()) or None for i in range(len(column))]
    return np.array(words, object)


def _days(part: Part, name: str, column: pa.Array) -> np.ndarray:
    def look() -> list[np.ndarray]:
        return [words_of(batch.columns[name]) for batch in part.batches([name])]

    days = Dates(name, None, look).read(column, part.name)
    bad = [i for i in np.flatnonzero(np.isnat(days)) if shown(column, int(i)).strip() not in OPEN]
    if bad:
        raise panel.error(
            f"column {name!r} of {part.name} holds {shown(column, int(bad[0]))!r}",
            "dates, or nothing", "Write them as YYYY-MM-DD",
        )  # fmt: skip
    return days
