import datetime as dt
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest import oracles
from xfactor.ingest.records import Splits, find_splits, sort_records
from xfactor.ingest.windows import history, parse_rule
from xfactor.panel import PanelError

DATES = pd.date_range("2013-01-01", periods=40, freq="23D")
FIRST = dt.date(2011, 6, 30)
ASSETS = 3
MAX_AGE = 400
RULES = ("latest", "annual", "ttm", "yoy", "change", "ttm_yoy", "last_n")


@st.composite
def _histories(draw, year_to_date=True):
    """Records of quarters and years to date, out of order, restated, late, with odd ends."""
    rows = []
    if draw(st.booleans()):  # one asset without gaps, for the windows of eight quarters
        for i in range(9):
            end = FIRST + dt.timedelta(days=91 * i)
            known = dt.datetime.combine(end, dt.time()) + dt.timedelta(40)
            value = float(draw(st.integers(-9, 9)))
            row = {"asset": 0, "end": end, "quarters": int(year_to_date), "known_at": known}
            rows.append(row | {"value": value})
    seen = {tuple(list(r.values())[:-1]) for r in rows}
    for _ in range(draw(st.integers(0, 45))):
        quarter = draw(st.integers(0, 12))
        end = FIRST + dt.timedelta(days=91 * quarter + draw(st.sampled_from([0, 0, 0, 0, 7, -13])))
        quarters = draw(st.sampled_from([1, 1, 1 + quarter % 4])) if year_to_date else 0
        days = draw(st.sampled_from([20, 45, 60, 120, 300, 600])) + draw(st.integers(0, 3))
        known = dt.datetime.combine(end, dt.time(draw(st.sampled_from([0, 0, 15])))) + dt.timedelta(
            days
        )
        row = {"asset": draw(st.integers(0, ASSETS - 1)), "end": end, "quarters": quarters}
        row |= {"known_at": known, "value": float(draw(st.integers(-9, 9)))}
        key = tuple(list(row.values())[:-1])
        if key not in seen:
            seen.add(key)
            rows.append(row)
    return rows


@st.composite
def _fiscal(draw):
    """Fiscal years of weeks and months: quarters are short or long, years begin anew."""
    rows, seen = [], set()
    for asset in range(ASSETS):
        end, of_year = FIRST, draw(st.integers(1, 4))
        for _ in range(draw(st.integers(0, 12))):
            known = dt.datetime.combine(end, dt.time(draw(st.sampled_from([0, 17]))))
            for quarters in draw(st.sets(st.sampled_from([1, of_year, of_year]), min_size=1)):
                for late in draw(st.sets(st.sampled_from([25, 40, 41, 130, 420]), max_size=2)):
                    row = {"asset": asset, "end": end, "quarters": quarters}
                    row["known_at"] = known + dt.timedelta(late)
                    if tuple(row.values()) not in seen:
                        seen.add(tuple(row.values()))
                        rows.append(row | {"value": float(draw(st.integers(-9, 9)))})
            # 12, 13, 14, 16 and 17 weeks; transition periods of one, two and five months.
            step = draw(st.sampled_from([91, 91, 91, 92, 84, 98, 112, 119, 31, 61, 152]))
            end += dt.timedelta(step)
            moved = step in (31, 61, 152) or draw(st.integers(0, 7)) == 0
            of_year = 1 if moved else of_year % 4 + 1
    return rows


HISTORIES = _histories()
FISCAL = _fiscal()
PLAIN = _histories(year_to_date=False)


def sorted_records(rows):
    columns = pd.DataFrame(rows, columns=["asset", "end", "quarters", "known_at", "value"])
    return sort_records(
        columns["asset"].to_numpy(np.int64),
        pd.to_datetime(columns["known_at"]).to_numpy("datetime64[ns]"),
        pd.to_datetime(columns["end"]).to_numpy("datetime64[ns]"),
        columns["value"].to_numpy(float),
        columns["quarters"].to_numpy(np.int64),
    )


def field(rows, rule="latest", dates=DATES, cuts=(), age=False):
    """Lay records out along dates by a rule, in blocks."""
    found = history(
        sorted_records(rows), parse_rule(f"{rule}(x{', 3' * (rule == 'last_n')})"), ASSETS
    )
    line = found.on(dates.to_numpy(), ASSETS)
    edges = sorted({0, *cuts, len(dates)})
    blocks = [line.block(a, b) for a, b in pairwise(edges)]
    days = np.timedelta64(MAX_AGE, "D")
    return np.concatenate([b.age(days) if age else b.field(days) for b in blocks])


@pytest.mark.parametrize("rule", RULES)
@given(rows=HISTORIES, cuts=st.sets(st.integers(0, len(DATES)), max_size=3))
def test_field__is_what_the_definition_says_on_every_date(rule, rows, cuts):
    expected = oracles.field(rows, DATES, range(ASSETS), rule, MAX_AGE, n=3)
    np.testing.assert_allclose(field(rows, rule, cuts=cuts), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@given(rows=FISCAL, order=st.randoms(use_true_random=False))
def test_field__of_fiscal_years_that_move_is_what_the_definition_says(rule, rows, order):
    expected = oracles.field(rows, DATES, range(ASSETS), rule, MAX_AGE, n=3)
    mixed = list(rows)
    order.shuffle(mixed)
    np.testing.assert_allclose(field(mixed, rule), expected, rtol=1e-12, atol=1e-12)


def test_quarters__of_two_that_are_as_near_the_later_is_subtracted():
    # The half-year ends 91 days after 1 April; one quarter ended a day before, one a day after.
    rows = [
        quarter("2012-03-31", "2012-05-01", 1.0), quarter("2012-04-02", "2012-05-02", 2.0),
        quarter("2012-07-01", "2012-08-01", 9.0, 2),
    ]  # fmt: skip
    for some in (rows, [rows[1] | {"known_at": dt.datetime(2012, 4, 30)}, rows[0], rows[2]]):
        assert field(some, dates=pd.DatetimeIndex(["2012-08-01"]))[0, 0] == 7.0


@pytest.mark.parametrize("rule", ["latest", "ttm", "last_n"])
@given(rows=PLAIN)
def test_field__of_records_without_a_length_is_what_the_definition_says(rule, rows):
    expected = oracles.field(rows, DATES, range(ASSETS), rule, MAX_AGE, n=3)
    np.testing.assert_allclose(field(rows, rule), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@given(rows=HISTORIES, today=st.integers(0, len(DATES) - 1))
def test_field__future_records_never_change_the_past(rule, rows, today):
    known = [r for r in rows if r["known_at"] <= DATES[today]]
    before, after = field(known, rule), field(rows, rule)
    np.testing.assert_array_equal(before[: today + 1], after[: today + 1])


@given(rows=HISTORIES, order=st.randoms(use_true_random=False), cuts=st.sets(st.integers(0, 40)))
def test_field__depends_on_no_order_of_records_nor_on_blocks(rows, order, cuts):
    mixed = list(rows)
    order.shuffle(mixed)
    for age in (False, True):
        np.testing.assert_array_equal(
            field(mixed, "ttm", cuts=cuts, age=age), field(rows, "ttm", age=age)
        )


def quarter(end, known, value, quarters=1):
    end, known = dt.date.fromisoformat(end), dt.datetime.fromisoformat(known)
    return {"asset": 0, "end": end, "quarters": quarters, "known_at": known, "value": value}


YEAR = [
    quarter("2012-03-31", "2012-05-01", 1.0),
    quarter("2012-06-30", "2012-08-01", 2.0),
    quarter("2012-09-30", "2012-11-01", 3.0),
    quarter("2012-12-31", "2013-02-20", 4.0),
]


def test_ttm__is_known_with_its_last_quarter_and_changes_with_a_restatement_of_an_older_one():
    dates = pd.DatetimeIndex(["2013-02-19", "2013-02-20", "2013-03-04", "2013-03-05"])
    rows = [*YEAR, quarter("2012-06-30", "2013-03-05", 20.0)]
    np.testing.assert_array_equal(field(rows, "ttm", dates)[:, 0], [np.nan, 10, 10, 28])


def test_ttm__is_missing_where_a_quarter_is():
    dates = pd.DatetimeIndex(["2013-02-20"])
    assert np.isnan(field([YEAR[0], *YEAR[2:]], "ttm", dates)[0, 0])
    older = quarter("2011-12-31", "2012-02-20", 9.0)  # a fifth quarter does not stand in for it
    assert np.isnan(field([older, YEAR[0], *YEAR[2:]], "ttm", dates)[0, 0])


def test_ttm__of_a_year_less_nine_months():
    rows = [
        quarter("2012-03-31", "2012-05-01", 1.0),
        quarter("2012-06-30", "2012-08-01", 3.0, 2),
        quarter("2012-09-30", "2012-11-01", 6.0, 3),
        quarter("2012-12-31", "2013-02-20", 10.0, 4),
    ]
    dates = pd.DatetimeIndex(["2012-12-03", "2013-02-20"])
    np.testing.assert_array_equal(field(rows, "latest", dates)[:, 0], [3.0, 4.0])
    np.testing.assert_array_equal(field(rows, "ttm", dates)[:, 0], [np.nan, 10.0])
    np.testing.assert_array_equal(field(rows, "annual", dates)[:, 0], [np.nan, 10.0])


def test_yoy__compares_fiscal_quarters_of_weeks():
    rows = [quarter("2011-11-20", "2011-12-20", 2.0), quarter("2012-11-25", "2012-12-20", 3.0)]
    shown = field(rows, "yoy", pd.DatetimeIndex(["2012-12-19", "2012-12-20"]))[:, 0]
    np.testing.assert_array_equal(shown, [np.nan, 0.5])


def test_yoy__of_two_periods_as_near_takes_the_later():
    ends = ["2011-12-27", "2012-01-06", "2012-12-31"]  # a year before is 1 January
    rows = [
        quarter(end, "2013-02-20", value) for end, value in zip(ends, [1.0, 2.0, 3.0], strict=True)
    ]
    assert field(rows, "yoy", pd.DatetimeIndex(["2013-02-20"]))[0, 0] == 0.5


def test_records__an_older_period_restated_later_does_not_displace_the_newer():
    rows = [*YEAR, quarter("2012-09-30", "2013-04-01", 99.0)]
    assert (field(rows)[3:, 0] == 4).all() or np.isnan(field(rows)[-1, 0])
    late = field(rows, dates=pd.DatetimeIndex(["2013-03-29", "2013-04-01", "2013-06-03"]))
    np.testing.assert_array_equal(late[:, 0], [4, 4, 4])


def test_records__become_known_on_the_first_session_on_or_after_their_time():
    dates = pd.DatetimeIndex(["2013-02-19", "2013-02-20", "2013-02-21"])
    rows = [quarter("2012-12-31", "2013-02-20T09:10", 4.0)]
    np.testing.assert_array_equal(field(rows, dates=dates)[:, 0], [np.nan, np.nan, 4.0])


def test_records__are_missing_when_too_old_and_age_counts_days_since_the_period_end():
    dates = pd.DatetimeIndex(["2013-02-20", "2014-02-04", "2014-02-05"])
    np.testing.assert_array_equal(field(YEAR, dates=dates)[:, 0], [4, 4, np.nan])
    np.testing.assert_array_equal(field(YEAR, dates=dates, age=True)[:, 0], [51, 400, np.nan])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("ttm", None), ("latest(x)", None), ("last_n(x, 8, std)", None), ("carried(x, 59)", None),
        ("median(x)", "cannot be read"), ("ttm(x", "cannot be read"), ("ttm(x, 4)", "more than"),
        ("last_n(x, 99999999999)", "at most 400"),
        ("last_n(x)", "at least 1|above 0|positive|1"), ("last_n(x, 3, mode)", "'mode' is unknown"),
        (3, "cannot be read"),
    ],
)  # fmt: skip
def test_parse_rule__reads_what_it_writes_and_refuses_in_one_line(text, match):
    if match is None:
        assert parse_rule(str(parse_rule(text))) == parse_rule(text)
        return
    with pytest.raises(PanelError, match=match) as caught:
        parse_rule(text)
    assert "\n" not in str(caught.value)


# --- splits -------------------------------------------------------------------------------------

DAYS = np.datetime64("2013-01-01", "ns") + np.arange(0, 60, 2) * np.timedelta64(1, "D")
EVENT = st.tuples(st.integers(0, len(DAYS) - 1), st.integers(0, ASSETS - 1))


@given(events=st.sets(EVENT), cut=st.integers(0, len(DAYS)))
def test_splits__products_are_those_of_the_definition(events, cut):
    dense = np.ones((len(DAYS), ASSETS))
    for i, (row, asset) in enumerate(sorted(events)):
        dense[row, asset] = (2.0, 0.5, 3.0)[i % 3]
    split = xr.DataArray(dense, dims=("date", "asset"))
    found = find_splits(split, [(0, cut), (cut, len(DAYS))])
    since = np.cumprod(dense, axis=0)
    np.testing.assert_array_equal(found.since_start(0, len(DAYS), ASSETS), since)
    if cut < len(DAYS):
        np.testing.assert_array_equal(found.since_start(cut, len(DAYS), ASSETS), since[cut:])

    asset = np.repeat(np.arange(ASSETS), 3)
    basis = np.tile(DAYS[0] + np.array([-5, 20, 33]) * np.timedelta64(1, "D"), ASSETS)
    expected = [dense[b >= DAYS, a].prod() for a, b in zip(asset, basis, strict=True)]
    np.testing.assert_allclose(found.until(DAYS, asset, basis), expected)


@pytest.mark.parametrize("odd", [np.nan, 0.0, -1.0, np.inf])
def test_find_splits__takes_what_is_no_ratio_as_no_split(odd):
    found = find_splits(xr.DataArray([[odd, 1.0]], dims=("date", "asset")), [(0, 1)])
    assert isinstance(found, Splits)
    assert len(found.row) == 0
