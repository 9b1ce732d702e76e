"""Specific variances: pandas for an asset's own, a loop over groups for the pull to the mean."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from tests.contracts import assert_same_bits
from tests.risk import oracles


def problem(seed=1, dates=30, assets=12, dtype=np.float64):
    rng = np.random.default_rng(seed)
    e = xr.DataArray(
        0.02 * rng.standard_normal((dates, assets)) * rng.lognormal(0, 0.7, assets),
        dims=("date", "asset"),
        coords={"date": pd.date_range("2021-01-01", periods=dates, freq="B"),
                "asset": [f"a{k:02d}" for k in rng.permutation(assets)]},
    ).astype(dtype)  # fmt: skip
    e = e.where(rng.random(e.shape) > 0.15)
    e[: dates // 2, 2], e[:, 3], e[-1, 4] = np.nan, np.nan, np.inf
    codes = e.copy(data=rng.integers(-1, 3, e.shape).astype(np.int16))
    cap = e.copy(data=rng.lognormal(3, 1, e.shape))
    cap = cap.where(rng.random(e.shape) > 0.1).where(rng.random(e.shape) > 0.05, -1.0)
    mask = e.copy(data=rng.random(e.shape) < 0.85)
    return e, codes, cap, mask


def own(e, window, halflife, least):
    """Variances by pandas, of all columns."""
    frame = pd.DataFrame(np.where(np.isfinite(e.values), e.values, np.nan))
    if window is None:
        return frame.ewm(halflife=halflife or 1e12, min_periods=least).var().values
    return frame.rolling(window, min_periods=least).var().values


@pytest.mark.parametrize("reach", [(None, None), (None, 6), (9, None)])
@pytest.mark.parametrize("options", [
    {}, {"shrink": 0.1}, {"by": 1, "shrink": 1.0}, {"by": 1, "weights": 1, "shrink": 0.3},
    {"by": 1, "weights": 1, "shrink": 0.3, "fill": True, "where": 1}, {"fill": True, "by": 1},
])  # fmt: skip
def test_specific_variance__equals_the_loop(reach, options):
    e, codes, cap, mask = problem()
    beside = {"by": codes, "weights": cap, "where": mask}
    options = {k: beside.get(k, v) for k, v in options.items()}
    got = xf.specific_variance(e, window=reach[0], halflife=reach[1], min_obs=5, **options)
    inside = mask.values if "where" in options else np.ones(e.shape, dtype=bool)
    deviation = np.sqrt(own(e.where(inside), *reach, 5))
    deviation[~inside] = np.nan
    known = np.isfinite(e.values)
    wanted = inside if "where" in options else known
    c = codes.values if "by" in options else np.zeros(e.shape, dtype=int)
    weights = cap.values if "weights" in options else np.ones(e.shape)
    strength, fill = options.get("shrink"), options.get("fill", False)
    want = deviation
    if strength or fill:
        rows = zip(deviation, c, weights, wanted, strict=True)
        want = np.array([oracles.shrunk(d, g, w, strength, fill, k) for d, g, w, k in rows])
    np.testing.assert_allclose(got.variance, want**2, rtol=1e-7, atol=1e-12)
    estimated = np.isfinite(deviation)
    np.testing.assert_array_equal(got.n_obs, estimated.sum(axis=1))
    np.testing.assert_array_equal(got.n_filled, (np.isfinite(want) & ~estimated).sum(axis=1))
    lost = [(known & ~inside).sum(axis=1), (wanted & ~estimated).sum(axis=1)]
    np.testing.assert_array_equal(got.n_dropped, np.stack(lost, axis=1))
    assert (got.n_filled.sum() > 0) == fill


@given(seed=st.integers(0, 10**6), data=st.data())
def test_specific_variance__is_the_same_bit_for_bit_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(2, 20))
    e, codes, cap, mask = problem(seed, dates, dtype=data.draw(st.sampled_from([np.float64, "f4"])))
    cap = data.draw(st.sampled_from([cap, cap.astype(np.float32)]))
    options = {"min_obs": 3, "halflife": 5, "shrink": 0.2, "fill": True}
    options["window"] = data.draw(st.sampled_from([None, 6]))
    cut = {"date": data.draw(strategies.cuts(dates))}
    beside = {"by": codes, "weights": cap, "where": mask}
    want = xf.specific_variance(e, **beside, **options)
    got = xf.specific_variance(
        e.chunk(cut), **{k: v.chunk(cut) for k, v in beside.items()}, **options
    )
    assert all(v.chunks is not None for v in got.values())
    assert got.variance.dtype == e.dtype
    assert_same_bits(got.compute(), want)


def test_specific_variance__computes_nothing_early_and_never_looks_ahead(raise_if_computes):
    e, codes, cap, mask = problem(2)
    with raise_if_computes():
        cut = [a.chunk(date=7) for a in (e, codes, cap, mask)]
        xf.specific_variance(cut[0], by=cut[1], weights=cut[2], where=cut[3], shrink=0.1)
    panel = xr.Dataset({"e": e, "codes": codes, "cap": cap, "mask": mask})
    for window in (None, 8):
        xf.testing.check_no_lookahead(
            lambda p, w=window: xf.specific_variance(
                p.e, by=p.codes, weights=p.cap, where=p.mask, shrink=0.1, fill=True, min_obs=3,
                window=w,
            ),
            panel,
        )  # fmt: skip


def test_specific_variance__edges():
    e, codes, cap, _ = problem(3)
    run = xf.specific_variance
    assert bool(run(e * np.nan, shrink=0.1, fill=True).variance.isnull().all())
    alike = xr.concat([e[:, 0]] * 3, "asset").transpose("date", "asset")
    kept = run(alike, min_obs=2, shrink=0.1).variance
    np.testing.assert_allclose(kept, run(alike, min_obs=2).variance, rtol=1e-12)
    none = run(e, by=xr.full_like(codes, -1), shrink=0.5, fill=True, min_obs=5)
    np.testing.assert_allclose(none.variance, run(e, min_obs=5).variance, rtol=1e-12)
    weightless = run(e, weights=-abs(cap), shrink=0.5, min_obs=5)
    np.testing.assert_allclose(weightless.variance, run(e, min_obs=5).variance, rtol=1e-12)
    assert int(run(e, min_obs=31).n_obs.sum()) == 0
    static = run(e, by=codes[0].drop_vars("date"), shrink=0.5, min_obs=5)
    assert static.variance.dims == e.dims
    turned = run(e.transpose("asset", "date"), by=codes, shrink=0.5, min_obs=5).variance
    assert turned.dims == ("asset", "date")
    mask = xr.DataArray(np.arange(30) > 4, dims="date", coords={"date": e.date})
    assert bool(run(e, where=mask, min_obs=2, shrink=0.1).variance[:5].isnull().all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shrink": 0.0}, "shrink=0.0"), ({"shrink": -1}, "shrink=-1"),
        ({"by": "codes"}, "no shrink and no fill"), ({"weights": "cap"}, "no shrink"),
        ({"window": 5, "min_obs": 6}, "min_obs=6"), ({"halflife": 0}, "halflife"),
        ({"dim": "stock"}, "'stock'"), ({"fill": 3}, "fill=3"),
    ],
)  # fmt: skip
def test_specific_variance__refuses_bad_options(options, message):
    e, codes, cap, _ = problem()
    beside = {"codes": codes, "cap": cap}
    options = {k: beside.get(v, v) if isinstance(v, str) else v for k, v in options.items()}
    with pytest.raises(xf.PanelError, match=message):
        xf.specific_variance(e, **options)
