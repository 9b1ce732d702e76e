"""Pictures: they show the numbers they are given, pull no more than they draw, and hide nothing."""

import subprocess
import sys

import dask
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import xfactor as xf
from xfactor import plot
from xfactor.plot.maps import correlations, period_means
from xfactor.plot.reduced import PER_BUCKET, counted, thinned
from xfactor.plot.style import colours

DATES = 110


@pytest.fixture(scope="module")
def results():
    """Results of each kind that can be drawn, lazy."""
    panel, truth = xf.simulate_panel(dates=DATES, assets=30, seed=2, chunk_dates=55)
    signals = panel[["book_to_price", "market_cap"]]
    after = {h: xf.forward_returns(panel.returns, h) for h in (1, 5)}
    factors = truth.factor_returns.chunk(factor=-1)
    fit = xf.cross_sectional_ols(panel.returns, xf.standardize(signals))
    mine = panel.returns.mean("asset")
    weights = xf.long_short(panel.book_to_price, fraction=0.3)
    covariance = xf.factor_covariance(fit.factor_return, halflife=30).covariance
    variance = xf.specific_variance(fit.residual, halflife=30).variance
    market = panel.market_returns.rename("market")
    return {
        "panel": panel,
        "factors": factors,
        "signals": xf.evaluate_signals(signals, after, bins=5),
        "coverage": xf.coverage(signals, listed=panel.listed),
        "rolling": xf.rolling_ols(mine, market, window=40),
        "mine": mine,
        "hedge": xf.hedge(mine, market, window=40),
        "risk": xf.risk_decomposition(weights, xf.standardize(signals), covariance, variance),
    }


@pytest.fixture(scope="module")
def known(results):
    """The same in memory."""
    return dict(zip(results, xf.compute(*results.values()), strict=True))


def settings():
    """Global settings of matplotlib; which backend it has is found out at the first drawing."""
    return {k: mpl.rcParams[k] for k in mpl.rcParams if k != "backend"}


def one_signal(r):
    return r["signals"].sel(factor="book_to_price", horizon=5)


PLOTS = {
    "lines": lambda r, ax: plot.lines(r["factors"], "t", "y", ax=ax),
    "cumulative": lambda r, ax: plot.cumulative(r["factors"], "t", ax=ax),
    "drawdown": lambda r, ax: plot.drawdown(r["factors"], ax=ax),
    "betas": lambda r, ax: plot.betas(r["rolling"], ax=ax),
    "hedged": lambda r, ax: plot.hedged(r["mine"], r["hedge"].hedged, ax=ax),
    "exposure_histogram": lambda r, ax: plot.exposure_histogram(
        xf.zscore(r["panel"].book_to_price), xf.standardize(r["panel"].book_to_price), ax=ax
    ),
    "quantile_bars": lambda r, ax: plot.quantile_bars(
        r["signals"].sel(factor="book_to_price"), ax=ax
    ),
    "spread": lambda r, ax: plot.spread(one_signal(r), window=20, ax=ax),
    "ic_series": lambda r, ax: plot.ic_series(one_signal(r), window=20, ax=ax),
    "ic_histogram": lambda r, ax: plot.ic_histogram(one_signal(r), ax=ax),
    "ic_decay": lambda r, ax: plot.ic_decay(r["signals"], ax=ax),
    "coverage_map": lambda r, ax: plot.coverage_map(r["coverage"], ax=ax),
    "correlation": lambda r, ax: plot.correlation(r["factors"], ax=ax),
    "risk_shares": lambda r, ax: plot.risk_shares(r["risk"].isel(date=-1), ax=ax),
    "risk_shares in time": lambda r, ax: plot.risk_shares(r["risk"], ax=ax),
}
each_plot = pytest.mark.parametrize("name", PLOTS)


def drawn(ax):
    """All numbers in Axes: lines, bars, steps, bands, images."""
    found = [np.asarray(line.get_xydata(), float).ravel() for line in ax.lines]
    found += [np.array([*p.get_xy(), p.get_height()]) for p in ax.patches if hasattr(p, "get_xy")
              and hasattr(p, "get_height")]  # fmt: skip
    found += [np.asarray(p.get_data().values) for p in ax.patches if hasattr(p, "get_data")]
    found += [c.get_paths()[0].vertices.ravel() for c in ax.collections if c.get_paths()]
    found += [np.ma.filled(i.get_array(), np.nan).ravel() for i in ax.images]
    return np.concatenate(found)


@each_plot
def test_plot__draws_the_same_lazy_or_not_on_axes_of_its_own_or_on_mine(name, results, known):
    before = settings()
    lazy = PLOTS[name](results, None)
    mine = Figure().subplots()
    mine.set_title("of mine", loc="left")
    assert isinstance(lazy, Axes)
    assert PLOTS[name](known, mine) is mine
    assert mine.get_title(loc="left") == "of mine"
    # Sums over the whole history depend on the chunks in the last digits.
    np.testing.assert_allclose(drawn(lazy), drawn(mine), rtol=1e-12, atol=1e-13)
    assert drawn(lazy).size
    assert lazy.get_title(loc="left")
    lazy.figure.canvas.draw()
    assert settings() == before


@each_plot
def test_plot__says_what_its_axes_are(name, known):
    ax = PLOTS[name](known, None)
    named = {label.get_text() for a in (ax.xaxis, ax.yaxis) for label in a.get_ticklabels()}
    assert ax.get_ylabel() or {"book_to_price", "market", "specific"} & named
    assert ax.get_xlabel() or {"size"} & named
    dated = "Date" in type(ax.xaxis.get_major_formatter()).__name__
    assert ax.get_xlabel() == "date" or not dated


def hidden(ax):
    """What the legend lies over: title, labels, lines."""
    ax.figure.draw_without_rendering()
    parts = {"title": ax._left_title, "xlabel": ax.xaxis.label, "axes": ax.patch}
    parts |= {f"tick {k}": t for k, t in enumerate(ax.get_xticklabels())}
    legend = ax.get_legend().get_window_extent()
    return [name for name, part in parts.items() if legend.overlaps(part.get_window_extent())]


TITLES = ["T", "A title as long as a sentence", "A title that says what was done " * 3]
LONG = [f"a factor of number {k}" for k in range(5)]
FACTORS = [["SMB"], ["market", "SMB", "HML", "MOM"], [*"abcdefghij"], LONG]


@pytest.mark.parametrize("title", TITLES, ids=len)
@pytest.mark.parametrize("names", FACTORS, ids=len)
@pytest.mark.parametrize("size", [(9, 4), (4, 3), (12, 8)])
def test_legend__hides_neither_title_nor_labels_nor_lines(title, names, size):
    x = xr.concat([series([0.1, -0.2, 0.3])] * len(names), "factor").assign_coords(factor=names)
    ax = Figure(figsize=size, layout="constrained").subplots()
    assert not hidden(plot.cumulative(x, title, ax=ax))


def test_plots__leave_pyplot_alone():
    code = (
        "import sys, xarray as xr, pandas as pd; from xfactor import plot; "
        "x = xr.DataArray([0.1, 0.2], dims='date', name='a', "
        "coords={'date': pd.date_range('2020', periods=2)}); "
        "plot.cumulative(x, 't').figure.savefig('/dev/null', format='svg'); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr


# --- what is drawn is what it says --------------------------------------------------------------


def series(values, **chunks):
    dates = pd.date_range("2000-01-03", periods=len(values), freq="B")
    x = xr.DataArray(np.asarray(values, float), dims="date", coords={"date": dates}, name="SMB")
    return x.chunk(chunks) if chunks else x


def test_cumulative__compounds_and_lets_a_gap_earn_nothing():
    ax = plot.cumulative(series([0.1, np.nan, -0.5]), "t")
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), [0.1, 0.1, 1.1 * 0.5 - 1])


def test_hedged__starts_both_where_the_hedge_is_known():
    ax = plot.hedged(series([0.5, 0.1, 0.1]), series([np.nan, 0.2, 0.0]))
    both = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 2][-2:]
    np.testing.assert_allclose(both, [[0.1, 0.21], [0.2, 0.2]])
    assert ax.lines[-1].get_label().startswith("hedged, 14.14 %")


def test_hedged__draws_axes_where_no_hedge_is_known():
    ax = plot.hedged(series([0.5, 0.1]), series([np.nan, np.nan]))
    assert [line.get_label().split(",")[0] for line in ax.lines[1:]] == ["unhedged", "hedged"]
    ax.figure.draw_without_rendering()


def test_betas__shades_1_96_errors(known):
    fit = known["rolling"]
    ax = plot.betas(fit)
    (band,) = ax.collections
    top = np.nanmax((fit.beta + 1.96 * fit.stderr).values)
    assert np.nanmax(band.get_paths()[0].vertices[:, 1]) == pytest.approx(top)


def test_quantile_bars__are_the_means(known):
    one = known["signals"].sel(factor="market_cap", horizon=1)
    heights = [p.get_height() for p in plot.quantile_bars(one).patches]
    np.testing.assert_allclose(heights, one["mean"])


def test_coverage_map__is_the_mean_of_neighbouring_dates(known):
    fit = known["coverage"]
    ax = plot.coverage_map(fit, periods=5)
    want = np.stack([part.mean(axis=0) for part in np.split(fit.coverage.transpose("date", ...)
                                                            .values, 5)])  # fmt: skip
    np.testing.assert_allclose(ax.images[0].get_array(), want.T)
    means, starts = period_means(fit.coverage, 3)
    assert means.sizes["period"] == len(starts) == 3  # 37, 37 and 36 dates


def test_correlations__count_dates_on_which_all_are_known():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4))
    x[3, 1], x[7, 0] = np.nan, np.inf
    x[:, 3] = 2.0
    dates = pd.date_range("2000-01-03", periods=50)
    got = correlations(xr.DataArray(x, dims=("date", "factor"), coords={"date": dates}))
    known = np.isfinite(x).all(axis=1)
    np.testing.assert_allclose(got[:3, :3], np.corrcoef(x[known, :3].T))
    assert np.isnan(got[3]).all()


def test_correlation__takes_a_covariance():
    names = ["a", "b"]
    cov = xr.DataArray([[4.0, 1.0], [1.0, 1.0]], dims=("factor", "factor_2"),
                       coords={"factor": names, "factor_2": names})  # fmt: skip
    np.testing.assert_allclose(plot.correlation(cov).images[0].get_array()[0, 1], 0.5)


def test_plot__of_several_signals_or_horizons_asks_for_one(known):
    for draw in (plot.quantile_bars, plot.spread, plot.ic_series, plot.ic_histogram):
        with pytest.raises(xf.PanelError, match=r"Choose one, e\.g\. fit\.sel"):
            draw(known["signals"])
    with pytest.raises(xf.PanelError, match="no field 'ic'"):
        plot.ic_series(known["coverage"])


def test_risk_shares__writes_no_minus_zero_and_leans_to_no_side():
    names = ["market", "size", "specific"]
    share = xr.DataArray([-1e-5, -0.2, 1.20001], dims="factor", coords={"factor": names})
    ax = plot.risk_shares(xr.Dataset({"share": share}))
    assert [t.get_text() for t in ax.texts] == ["0.0 %", "\N{MINUS SIGN}20.0 %", "120.0 %"]
    assert ax.patches[0].get_width() == 0


def test_colours__are_never_the_same_twice():
    names = ["market", "size", "a", "b", "c", "d", "e", "f", "g", "h", "value"]
    pairs = colours(names)
    assert len(set(pairs)) == len(names)
    assert pairs[0][0] == plot.COLOURS[0]


# --- long lines and large panels ----------------------------------------------------------------


def naive_thinned(dates, values, points):
    """First, lowest, highest and last known value of each bucket, at their own dates."""
    width = -(-len(values) * PER_BUCKET // points)
    rows = []
    for begin in range(0, len(values), width):
        here = [i for i in range(begin, min(begin + width, len(values))) if np.isfinite(values[i])]
        if here:
            low, high = (f(here, key=lambda i: values[i]) for f in (min, max))
            rows += sorted({here[0], low, high, here[-1]})
        else:
            rows.append(None)
    kept = [(dates[i], values[i]) for i in rows if i is not None]
    return kept, rows.count(None)


@given(seed=st.integers(0, 10_000), cut=st.integers(1, 90), gap=st.integers(0, 60))
def test_thinned__keeps_the_corners_of_each_bucket_whatever_the_chunks(seed, cut, gap):
    rng = np.random.default_rng(seed)
    values = rng.integers(-5, 6, 90).astype(float)  # ties
    values[rng.random(90) < 0.2] = np.nan
    values[20 : 20 + gap] = np.nan
    values[rng.integers(90)] = np.inf
    x = series(values)
    want, gaps = naive_thinned(x.date.values, values, 40)
    for given_x in (x, x.chunk(date=cut)):
        [(dates, got)] = thinned(given_x, points=40)
        known = np.isfinite(got)
        assert list(zip(dates[known], got[known], strict=True)) == want
        assert (~known).sum() == gaps
        assert len(got) <= 40 + PER_BUCKET


def test_thinned__draws_each_factor_and_short_lines_as_they_are():
    x = xr.concat([series(np.arange(500.0)), series(-np.arange(500.0))], "factor")
    x = x.transpose("date", "factor")
    first, second = thinned(x.chunk(date=64, factor=1), points=100)
    assert first[1].max() == 499
    assert second[1].min() == -499
    assert [v.size for _, v in thinned(x)] == [500, 500]


def test_plots__pull_only_what_they_draw(monkeypatch):
    pulled = []
    whole = dask.compute

    def watched(*arrays, **options):
        values = whole(*arrays, **options)
        pulled.extend(np.asarray(v).size for v in values)
        return values

    monkeypatch.setattr(dask, "compute", watched)
    rng = np.random.default_rng(0)
    plot.lines(series(rng.normal(size=50_000), date=1000), "t", "y")
    dates = pd.date_range("2000-01-03", periods=500)
    panel = xr.DataArray(rng.normal(size=(500, 100)), dims=("date", "asset"),
                         coords={"date": dates}).chunk(date=50)  # fmt: skip
    plot.exposure_histogram(panel, panel.clip(-2, 2))
    plot.histogram({"x": panel}, "t", "x")
    factors = panel.isel(asset=slice(5)).rename(asset="factor")
    plot.correlation(factors)
    plot.coverage_map(factors.notnull().astype(float))
    assert max(pulled) <= 5000
    assert pulled


@given(seed=st.integers(0, 10_000), cut=st.integers(1, 30), bins=st.integers(1, 9))
def test_counted__is_numpys_histogram_whatever_the_chunks(seed, cut, bins):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(30, 5)).astype(rng.choice(["f4", "f8"]))
    values[rng.random(values.shape) < 0.3] = rng.choice([np.nan, np.inf, -np.inf])
    known = values[np.isfinite(values)].astype(float)
    x = xr.DataArray(values, dims=("date", "asset"))
    want, edges = np.histogram(known, bins)
    inside, _ = np.histogram(known.clip(-0.5, 1.0), bins, (-0.5, 1.0))
    for given_x in (x, x.chunk(date=cut)):
        got = counted(given_x, bins)
        np.testing.assert_array_equal(got[0], want)
        np.testing.assert_array_equal(got[1], edges)
        np.testing.assert_array_equal(counted(given_x, bins, (-0.5, 1.0))[0], inside)


def test_counted__of_nothing_is_zero():
    counts, edges = counted(xr.DataArray([np.nan, np.inf], dims="asset"), 3)
    assert counts.tolist() == [0, 0, 0]
    assert edges[[0, -1]].tolist() == [0.0, 1.0]
    assert counted(xr.DataArray(2.0), 2)[0].sum() == 1
    with pytest.raises(xf.PanelError, match="limits"):
        counted(xr.DataArray([1.0], dims="asset"), 2, (1.0, 0.0))
