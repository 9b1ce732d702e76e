"""Residuals, fills and composite scores: peers, laws, refusals."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies

NAN = np.nan
# A residual of numpy's least squares on dummies; both lose some digits to conditioning.
RESIDUAL = 1e-9


@pytest.fixture(name="fields")
def fields_fixture():
    """Twenty dates of sixty assets: values, two exposures, weights and sectors, with gaps."""
    rng = np.random.default_rng(3)
    shape, dims = (20, 60), ("date", "asset")
    size, value, y = (rng.normal(size=shape) for _ in range(3))
    y = y + 2 * size - value
    for a in (size, value, y):
        a[rng.random(shape) < 0.1] = NAN
    sector = rng.integers(-1, 5, shape).astype(np.int16)
    weight = np.where(rng.random(shape) < 0.1, 0.0, rng.lognormal(size=shape))
    data = {"y": y, "size": size, "value": value, "weight": weight, "sector": sector}
    return xr.Dataset({k: (dims, v) for k, v in data.items()}, coords={"asset": np.arange(60)})


def by_dummies(y, exposures, sector=None, weight=None):
    """numpy.linalg.lstsq on dense dummies, date by date."""
    out = np.full(y.shape, NAN)
    for t in range(len(y)):
        known = np.isfinite(y[t]) & np.isfinite([e[t] for e in exposures]).all(axis=0)
        columns = [e[t] for e in exposures]
        if sector is None:
            columns.append(np.ones(y.shape[1]))
        else:
            known &= sector[t] >= 0
            columns += [(sector[t] == g) * 1.0 for g in np.unique(sector[t][known])]
        root = np.ones(y.shape[1])
        if weight is not None:
            known &= weight[t] > 0
            root = np.sqrt(weight[t])
        a = np.stack(columns, axis=1)[known]
        b = np.linalg.lstsq(a * root[known, None], y[t, known] * root[known], rcond=None)[0]
        out[t, known] = y[t, known] - a @ b
    return out


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("names", [["size"], ["size", "value"], []])
def test_neutralize__equals_least_squares_on_dummies(fields, names, weighted, grouped):
    if not names and not grouped:
        return
    options = {"weights": fields.weight} if weighted else {}
    options |= {"by": fields.sector} if grouped else {}
    got = xf.neutralize(fields.y, fields[names] if names else None, **options)
    want = by_dummies(
        fields.y.values, [fields[n].values for n in names],
        fields.sector.values if grouped else None, fields.weight.values if weighted else None,
    )  # fmt: skip
    np.testing.assert_allclose(got.values, want, rtol=RESIDUAL, atol=RESIDUAL)
    lazy = fields.chunk(date=7)
    options = {k: lazy[v.name] for k, v in options.items()}
    cut = xf.neutralize(lazy.y, lazy[names] if names else None, **options)
    contracts.assert_same_bits(cut.compute(), got)


def test_neutralize__takes_a_factor_dim_and_leaves_a_factor_dim_of_the_values(fields):
    several = fields[["size", "value"]].to_dataarray("factor")
    want = xf.neutralize(fields.y, fields[["size", "value"]])
    contracts.assert_same_bits(xf.neutralize(fields.y, several), want)
    both = xr.concat([fields.y, -fields.y], dim="factor")
    got = xf.neutralize(both, several)
    assert got.dims == both.dims
    np.testing.assert_array_equal(got.isel(factor=0).values, want.values)


def test_neutralize__of_collinear_or_constant_exposures_and_of_thin_dates_is_missing(fields):
    twice = fields[["size"]].assign(again=3.0 * fields["size"] + 1.0)
    assert xf.neutralize(fields.y, twice).isnull().all()
    assert xf.neutralize(fields.y, xr.ones_like(fields.y)).isnull().all()
    assert xf.neutralize(fields.y, fields.sector.clip(0) * 1.0, by=fields.sector).isnull().all()
    thin = fields.isel(asset=slice(2))
    assert xf.neutralize(thin.y, thin["size"]).isnull().all()
    assert xf.neutralize(fields.y, fields["size"], min_obs=61).isnull().all()


@pytest.mark.parametrize("dims", [(), ("date",)])
def test_neutralize__refuses_an_exposure_that_all_assets_share(fields, dims):
    """It is a constant on each date, with which every residual would be missing."""
    flat = fields.size.isel({d: 0 for d in ("date", "asset") if d not in dims}, drop=True)
    for exposures in (flat, fields[["value"]].assign(flat=flat)):
        with pytest.raises(xf.PanelError, match=r"exposure (size|flat) has no dimension 'asset'"):
            xf.neutralize(fields.y, exposures)


def test_neutralize__refuses_to_do_nothing(fields):
    with pytest.raises(xf.PanelError, match="neither exposures nor by"):
        xf.neutralize(fields.y)


# --- fillna -------------------------------------------------------------------------------------


def test_fillna__fills_the_universe_only(fields):
    listed = xr.zeros_like(fields.y, dtype=bool)
    listed[:, :50] = True
    got = xf.fillna(fields.y, by=fields.sector, where=listed)
    assert got[:, 50:].isnull().all()
    known = np.isfinite(fields.y) & listed
    np.testing.assert_array_equal(got.values[known], fields.y.values[known])
    filled = got.notnull() & ~known
    assert filled.any()
    assert not (filled & (fields.sector < 0)).any()
    medians = xf.quantile(fields.y.where(listed), 0.5, by=fields.sector)
    np.testing.assert_array_equal(got.values[filled], medians.values[filled])


def test_fillna__refuses_unknown_methods(fields):
    with pytest.raises(xf.PanelError, match="method='mode' is unknown; choose from 'median'"):
        xf.fillna(fields.y, method="mode")


# --- composite ----------------------------------------------------------------------------------


def naive_composite(scores, weights, min_obs):
    out = np.full(scores[0].shape, NAN)
    for at in np.ndindex(out.shape):
        known = [(w, s[at]) for w, s in zip(weights, scores, strict=True) if np.isfinite(s[at])]
        size = sum(abs(w) for w, _ in known)
        if len(known) >= min_obs and size > 0:
            share = sum(map(abs, weights)) / size
            out[at] = share * sum(w * v for w, v in known)
    return out


@given(data=st.data())
def test_composite__equals_the_naive_loop_for_fields_and_factors(data):
    first = data.draw(strategies.panels(any_order=False, dtypes=(np.float64,)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    scores = {"a": first, "b": first[::-1].copy(data=first.values[::-1]), "c": -2.0 * first}
    scores["b"] = first.copy(data=rng.permuted(first.values, axis=0))
    weights = dict(zip("abc", rng.choice([-0.5, 0.0, 0.25, 1.0], 3), strict=True))
    weights["a"] = 0.75
    least = data.draw(st.integers(1, 3))
    ds = xr.Dataset(scores)
    got = xf.composite(ds, weights, min_obs=least)
    want = naive_composite([s.values for s in ds.values()], list(weights.values()), least)
    contracts.assert_values(got, got.copy(data=want), 4 * contracts.size_of(first))
    lazy = data.draw(strategies.chunked(first))
    cut = ds.chunk(lazy.chunksizes)
    contracts.assert_same_bits(xf.composite(cut, weights, min_obs=least).compute(), got)
    factors = xf.composite(ds.to_dataarray("factor"), weights, min_obs=least)
    np.testing.assert_array_equal(factors.transpose(*got.dims).values, got.values)


def test_composite__without_weights_is_the_mean_of_what_is_known(fields):
    got = xf.composite(fields[["size", "value"]])
    want = fields[["size", "value"]].to_dataarray("factor").mean("factor")
    np.testing.assert_allclose(got.values, want.values, rtol=1e-14)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"size": 1.0}, "a weight for each of size, value"),
        ({"size": 0, "value": 0}, "not all 0"),
        ([0.5, 0.5], "a mapping of fields to numbers. Use e.g. {'size': 0.5"),
        ("equal", "a mapping of fields"),
        ({"size": None, "value": 1.0}, "the weight of size=None was given; needed a number"),
        ({"size": "1", "value": 1.0}, "the weight of size='1' was given; needed a number"),
    ],
)
def test_composite__refuses_weights_that_do_not_fit(fields, weights, message):
    with pytest.raises(xf.PanelError, match=message):
        xf.composite(fields[["size", "value"]], weights)


def test_composite__computes_nothing_when_called(fields, raise_if_computes):
    lazy = fields[["size", "value"]].chunk(date=5)
    with raise_if_computes():
        assert xf.composite(lazy).chunks is not None


# --- weights of means ---------------------------------------------------------------------------


def test_demean_and_zscore__have_a_weighted_mean_of_0(fields):
    w = fields.weight.where(np.isfinite(fields.y), 0.0)
    used = fields.y.where(fields.weight > 0)
    for got in (
        xf.demean(fields.y, weights=fields.weight),
        xf.zscore(fields.y, weights=fields.weight, ddof=1),
    ):
        assert (abs((got * w).sum("asset")) < 1e-12 * w.sum("asset")).all()
        np.testing.assert_array_equal(np.isnan(got.values), np.isnan(fields.y.values))
    z = xf.zscore(fields.y, weights=fields.weight, ddof=1)
    mean = (used * w).sum("asset") / w.sum("asset")
    want = (fields.y - mean) / used.std("asset", ddof=1)
    np.testing.assert_allclose(z.values, want.values, rtol=1e-12, atol=1e-13)
    constant = xf.zscore(fields.y, weights=xr.ones_like(fields.y), ddof=1)
    np.testing.assert_allclose(
        constant.values, xf.zscore(fields.y, ddof=1).values, rtol=1e-12, atol=1e-13
    )


def test_demean__of_a_group_without_weights_is_missing(fields):
    none = fields.weight.where(fields.sector != 2, 0.0)
    got = xf.demean(fields.y, weights=none, by=fields.sector)
    assert got.where(fields.sector == 2).isnull().all()
    assert got.where(fields.sector == 1).notnull().any()
