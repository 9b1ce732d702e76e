"""Reports in any order of rows, over any files, in any sequence: one panel, that of the definition.

The definition is written out here in loops: which symbols repeat another, which report shows on a
date, and how many shares a report stands for after splits.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import as_known, explain, ingest_fundamentals, with_fundamentals

DATES = pd.date_range("2013-01-07", periods=30, freq="21D", name="date")
SYMBOLS = ["A", "B", "C", "D"]
SPLITS = {("A", "2013-06-24"): 2.0, ("A", "2014-03-03"): 3.0, ("B", "2013-07-15"): 0.5}
ENDS = pd.date_range("2012-12-31", periods=4, freq="QE")
MAX_AGE = 300
COLUMNS = ["symbol", "period_end", "book_equity", "shares_outstanding", "known_at"]
FIELDS = ["book_equity", "shares_outstanding", "fundamentals_age", "market_cap", "sector"]
SECTORS = "Symbol,GICS Sector,CIK\nA,Real Estate,1\nB,Energy,2\nD,Energy,1\n"
# Every example writes some stores: shrinking one would take longer than reading it.
SOME = settings(max_examples=6, phases=(Phase.explicit, Phase.reuse, Phase.generate))


@st.composite
def _reports(draw):
    """Rows of two kinds: with a day of publication, and without one."""
    figure = st.sampled_from([0.0, 5.0, 5.0, 5.0, 7.0, np.nan])
    rows, late = [], (None, 30, 75, 200)
    same = draw(st.sets(st.sampled_from(SYMBOLS)))  # these have one balance sheet
    sheet = {end: draw(figure) for end in ENDS}
    for symbol, end in itertools.product(SYMBOLS, ENDS):
        for days in draw(st.sets(st.sampled_from(late), max_size=2)):
            equity = sheet[end] if symbol in same else draw(figure)
            shares = draw(st.sampled_from([np.nan, 1.0, 2.0]))
            rows.append((symbol, end, equity, shares, days))
    return rows


@st.composite
def _ways(draw):
    """Reports; and two ways to split them over files, of one kind each, in an order."""
    rows = draw(_reports().filter(bool))
    ways = []
    for _ in range(2):
        parts = {}
        for row in draw(st.permutations(rows)):
            parts.setdefault((row[4] is None, draw(st.integers(0, 1))), []).append(row)
        ways.append(draw(st.permutations(list(parts.values()))))
    return rows, ways


def frame_of(part):
    frame = pd.DataFrame(part, columns=[*COLUMNS[:4], "days"])
    if frame["days"].notna().any():
        frame["known_at"] = frame["period_end"] + pd.to_timedelta(frame["days"].astype(int), "D")
    return frame.drop(columns="days")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return iter(lambda: tmp_path_factory.mktemp("order"), None)


def store_of(folder, parts, name, listing):
    store = files.panel_store(folder, DATES, SYMBOLS, splits=SPLITS, name=name)
    for part in parts:
        ingest_fundamentals(frame_of(part), store, max_age_days=MAX_AGE, securities=listing)
    return store


# --- the definition -----------------------------------------------------------------------------


def known_of(row):
    return row[1] + pd.Timedelta(90 if row[4] is None else row[4], "D")


def repeated(rows, company):
    """The symbols that are not shown: loops over pairs, then over who stands for whom."""
    first = {}
    for row in sorted(rows, key=known_of):
        if not np.isnan(row[2]):
            first.setdefault((row[0], row[1]), row[2])
    reported = {r[0] for r in rows if not (np.isnan(r[2]) and np.isnan(r[3]))}
    like = {s: {s} for s in SYMBOLS}
    for a, b in itertools.combinations(SYMBOLS, 2):
        both = [(first[a, e], first[b, e]) for e in ENDS if (a, e) in first and (b, e) in first]
        alike = all(x == y for x, y in both) and sum(x == y != 0 for x, y in both) >= 2
        same = a in company and company.get(a) == company.get(b) and {a, b} <= reported
        if alike or same:
            together = like[a] | like[b]
            like |= dict.fromkeys(together, together)
    counts = {s: len({r[1] for r in rows if r[0] == s and not np.isnan(r[3])}) for s in SYMBOLS}
    stands = {s: min(g, key=lambda s: (-counts[s], s)) for s, g in like.items()}
    return {s for s in SYMBOLS if stands[s] != s}


def expected(rows, company):
    """(date, symbol) of book equity and of shares."""
    out = {n: np.full((len(DATES), len(SYMBOLS)), np.nan) for n in FIELDS[:2]}
    gone = repeated(rows, company)
    for (i, day), (j, symbol), (c, name) in itertools.product(
        enumerate(DATES), enumerate(SYMBOLS), enumerate(FIELDS[:2])
    ):
        own = [r for r in rows if r[0] == symbol and known_of(r) <= day and not np.isnan(r[2 + c])]
        if symbol in gone or not own:
            continue
        row = max(own, key=lambda r: (r[1], known_of(r)))
        if (day - row[1]).days > MAX_AGE:
            continue
        value, basis = row[2 + c], known_of(row)
        if row[4] is None:
            basis = min(basis, row[1] + pd.Timedelta(59, "D"))
        if name == "shares_outstanding":
            for (who, when), ratio in SPLITS.items():
                value *= ratio if who == symbol and basis < pd.Timestamp(when) <= day else 1.0
        out[name][i, j] = value
    return out


@SOME
@given(found=_ways(), listed=st.booleans())
def test_ingest_fundamentals__any_split_and_order_gives_the_panel_of_the_definition(
    folders, found, listed
):
    (rows, ways), folder = found, next(folders)
    listing = files.text_file(folder, SECTORS, "securities.csv") if listed else None
    panels = [
        xf.open_panel(store_of(folder, parts, f"{i}.zarr", listing)).load()
        for i, parts in enumerate(ways)
    ]
    first, second = (p[sorted(p)] for p in panels)
    xr.testing.assert_equal(first, second)
    company = {"A": 1, "B": 2, "D": 1} if listed else {}
    for name, values in expected(rows, company).items():
        np.testing.assert_allclose(first[name], values, rtol=1e-12)


def balance(symbol, *equities, shares=1.0):
    return [(symbol, e, v, shares, 30) for e, v in zip(ENDS, equities, strict=False)]


def shown(store, symbol):
    return bool(xf.open_panel(store)["book_equity"].sel(asset=SYMBOLS.index(symbol) + 1).notnull()
                .any())  # fmt: skip


def test_ingest_fundamentals__a_later_file_takes_a_repeated_symbol_out_and_brings_it_back(tmp_path):
    one, two = balance("A", 5.0, 7.0, 9.0), balance("B", 5.0, 7.0, 9.0)
    store = store_of(tmp_path, [one, two[:1]], "s.zarr", None)
    assert shown(store, "B")  # one equal figure may be chance
    summary = ingest_fundamentals(frame_of(two[1:2]), store, max_age_days=MAX_AGE)
    assert summary.rejected["that repeat another symbol"] == 1
    assert "B (A kept)" in " ".join(summary.notes)
    assert not shown(store, "B")
    assert not xf.open_panel(store)["market_cap"].sel(asset=2).notnull().any()
    found = explain(store, "B", "book_equity", DATES[10])
    assert "those of the asset 1" in found.note
    assert "no record was known" not in str(found)
    then = as_known(store, on=DATES[12])["book_equity"].sel(date=slice(None, DATES[12]))
    now = xf.open_panel(store)["book_equity"].sel(date=then.date)
    np.testing.assert_array_equal(then, now)
    differing = [("B", ENDS[2], 8.0, 1.0, 30)]
    ingest_fundamentals(frame_of(differing), store, max_age_days=MAX_AGE)
    assert shown(store, "B")


def test_ingest_fundamentals__a_figure_of_many_symbols_is_a_placeholder(tmp_path):
    symbols = [f"S{i:02d}" for i in range(25)]
    store = files.panel_store(tmp_path, DATES, symbols)
    rows = [(s, e, 1.0, 1.0, 30) for s in symbols for e in ENDS]
    zeros = [(s, e, 0.0, 1.0, 31) for s in symbols[:2] for e in ENDS]
    summary = ingest_fundamentals(frame_of([*rows, *zeros]), store)
    assert summary.rejected["that repeat another symbol"] == 0


def test_with_fundamentals__leaves_repeated_symbols_out(tmp_path):
    rows = [*balance("A", 5.0, 7.0), *balance("B", 5.0, 7.0)]
    whole = store_of(tmp_path, [rows], "whole.zarr", None)
    plain = xf.open_panel(files.panel_store(tmp_path, DATES, SYMBOLS, splits=SPLITS)).load()
    part = xf.write_panel(plain.isel(date=slice(8)), tmp_path / "part.zarr")
    ingest_fundamentals(frame_of(rows), part, max_age_days=MAX_AGE)
    later = with_fundamentals(plain.isel(date=slice(8, None)), part)
    xf.append_panel(later, part)
    expected, found = xf.open_panel(whole).load(), xf.open_panel(part).load()
    xr.testing.assert_equal(found[sorted(found)], expected[sorted(expected)])


def test_ingest_fundamentals__a_later_list_renews_sectors_and_adds_words(tmp_path):
    first = files.text_file(tmp_path, "Symbol,Sector\nA,Media\nB,Energy\n", "first.csv")
    later = files.text_file(tmp_path, "Symbol,Sector\nB,Utilities\nC,Banks\n", "later.csv")
    store = store_of(tmp_path, [balance("A", 1.0)], "s.zarr", first)
    summary = ingest_fundamentals(frame_of(balance("B", 2.0)), store, securities=later,
                                  max_age_days=MAX_AGE)  # fmt: skip
    assert "sector" in summary.fields
    sector = xf.open_panel(store)["sector"].load()
    words = sector.attrs["flag_meanings"].split()
    assert words == ["Banks", "Energy", "Media", "Utilities"]
    assert list(sector.attrs["flag_values"]) == [0, 1, 2, 3]
    for row in (0, -1):
        codes = sector.isel(date=row).values
        assert [words[c] if c >= 0 else "" for c in codes] == ["Media", "Utilities", "Banks", ""]
    before = files.bytes_of(store)
    ingest_fundamentals(frame_of(balance("B", 2.0)), store, securities=later, max_age_days=MAX_AGE)
    assert files.bytes_of(store) == before


def test_ingest_fundamentals__leaves_a_sector_that_is_somebody_elses(tmp_path):
    store = files.panel_store(tmp_path, DATES, SYMBOLS)
    stored = xf.open_panel(store)
    own = xr.zeros_like(stored["close"], dtype=np.int16).rename("sector").drop_vars("symbol")
    xf.add_fields(own.to_dataset(), store)
    listing = files.text_file(tmp_path, SECTORS, "securities.csv")
    ingest_fundamentals(frame_of(balance("A", 1.0)), store, securities=listing)
    assert (xf.open_panel(store)["sector"] == 0).all()
