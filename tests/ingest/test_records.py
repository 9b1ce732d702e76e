import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from xfactor.ingest.records import Splits, find_splits, records

DATES = np.datetime64("2013-01-01", "ns") + np.arange(0, 60, 2) * np.timedelta64(1, "D")
ASSETS = 3
MAX_AGE = 25

# One record: asset, days from the start to the period's end, days from there until it is known.
RECORD = st.tuples(st.integers(0, ASSETS - 1), st.integers(-20, 60), st.integers(0, 30))
HISTORY = st.lists(RECORD, unique=True, max_size=25)


def days(numbers) -> np.ndarray:
    return DATES[0] + np.array(numbers, "timedelta64[D]").astype("timedelta64[ns]")


def history(rows, values=None):
    asset = np.array([a for a, _, _ in rows], np.int64)
    ends = days([e for _, e, _ in rows])
    known = days([e + k for _, e, k in rows])
    values = np.arange(len(rows), dtype=float) if values is None else np.array(values, float)
    return asset, known, ends, values


def brute_force(asset, known, ends, values, dates) -> np.ndarray:
    """The definition, cell by cell: newest period known, of that the version known last."""
    out = np.full((len(dates), ASSETS), np.nan)
    for i, t in enumerate(dates):
        for a in range(ASSETS):
            seen = [k for k in range(len(asset)) if asset[k] == a and known[k] <= t]
            seen = [k for k in seen if not np.isnan(values[k])]
            if seen:
                best = max(seen, key=lambda k: (ends[k], known[k]))
                if t - ends[best] <= np.timedelta64(MAX_AGE, "D"):
                    out[i, a] = values[best]
    return out


@given(rows=HISTORY, gaps=st.sets(st.integers(0, 24)))
def test_records__show_what_the_definition_says(rows, gaps):
    asset, known, ends, values = history(rows)
    values[[g for g in gaps if g < len(values)]] = np.nan
    shown = records(asset, known, ends, values).field(DATES, ASSETS, np.timedelta64(MAX_AGE, "D"))
    np.testing.assert_array_equal(shown, brute_force(asset, known, ends, values, DATES))


@given(rows=HISTORY, later=HISTORY, today=st.integers(0, len(DATES) - 1))
def test_records__future_records_never_change_the_past(rows, later, today):
    rows = [r for r in rows if days([r[1] + r[2]])[0] <= DATES[today]]
    later = [r for r in later if days([r[1] + r[2]])[0] > DATES[today]]
    age = np.timedelta64(MAX_AGE, "D")
    known = records(*history(rows)).field(DATES, ASSETS, age)
    both = records(*history(rows + later)).field(DATES, ASSETS, age)
    np.testing.assert_array_equal(known[: today + 1], both[: today + 1])


@given(rows=HISTORY, cut=st.integers(0, len(DATES)))
def test_records__do_not_depend_on_the_blocks_of_dates(rows, cut):
    found = records(*history(rows))
    age = np.timedelta64(MAX_AGE, "D")
    for make in (found.field, found.age):
        parts = [make(block, ASSETS, age) for block in (DATES[:cut], DATES[cut:]) if len(block)]
        np.testing.assert_array_equal(np.concatenate(parts), make(DATES, ASSETS, age))


def test_records__an_older_period_restated_later_does_not_displace_the_newer():
    rows = [(0, 0, 2), (0, 10, 2), (0, 0, 20)]  # period 0; period 10; period 0 again, on day 20
    shown = records(*history(rows, [1.0, 2.0, 99.0])).field(DATES, ASSETS, np.timedelta64(365, "D"))
    np.testing.assert_array_equal(shown[:6, 0], [np.nan, 1, 1, 1, 1, 1])
    assert (shown[6:, 0] == 2).all()


def test_records__a_later_version_of_the_same_period_replaces_the_first():
    shown = records(*history([(0, 0, 2), (0, 0, 8)], [1.0, 2.0])).field(
        DATES, ASSETS, np.timedelta64(365, "D")
    )
    np.testing.assert_array_equal(shown[:6, 0], [np.nan, 1, 1, 1, 2, 2])


def test_records__become_known_on_the_first_session_on_or_after_their_day():
    shown = records(*history([(0, 0, 3), (1, 0, 4)])).field(DATES, ASSETS, np.timedelta64(365, "D"))
    assert np.isnan(shown[:2]).all()
    np.testing.assert_array_equal(shown[2, :2], [0, 1])  # day 4 is the session after day 3


def test_records__age_counts_days_since_the_period_end():
    age = records(*history([(1, 1, 3)])).age(DATES, ASSETS, np.timedelta64(9, "D"))
    expected = np.full((len(DATES), ASSETS), np.nan)
    expected[2:6, 1] = [3, 5, 7, 9]
    np.testing.assert_array_equal(age, expected)


EVENT = st.tuples(st.integers(0, len(DATES) - 1), st.integers(0, ASSETS - 1))


@given(events=st.sets(EVENT), cut=st.integers(0, len(DATES)))
def test_splits__products_are_those_of_the_definition(events, cut):
    dense = np.ones((len(DATES), ASSETS))
    for i, (row, asset) in enumerate(sorted(events)):
        dense[row, asset] = (2.0, 0.5, 3.0)[i % 3]
    split = xr.DataArray(dense, dims=("date", "asset"))
    found = find_splits(split, [(0, cut), (cut, len(DATES))])
    since = np.cumprod(dense, axis=0)
    np.testing.assert_array_equal(found.since_start(0, len(DATES), ASSETS), since)
    if cut < len(DATES):
        np.testing.assert_array_equal(found.since_start(cut, len(DATES), ASSETS), since[cut:])

    asset = np.repeat(np.arange(ASSETS), 3)
    basis = np.tile(days([-5, 20, 33]), ASSETS)
    expected = [dense[b >= DATES, a].prod() for a, b in zip(asset, basis, strict=True)]
    np.testing.assert_allclose(found.until(DATES, asset, basis), expected)


@pytest.mark.parametrize("odd", [np.nan, 0.0, -1.0, np.inf])
def test_find_splits__takes_what_is_no_ratio_as_no_split(odd):
    found = find_splits(xr.DataArray([[odd, 1.0]], dims=("date", "asset")), [(0, 1)])
    assert isinstance(found, Splits)
    assert len(found.row) == 0
