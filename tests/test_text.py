"""Plain text tables: aligned, complete, missing values shown as such."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import xarray as xr

import xfactor as xf
from xfactor.text import table

LABELS = ["market", "SMB", "a rather long label"]


def lines(columns, formats="+.2f .1%", title="Title"):
    return table(title, columns, formats).split("\n")


def drawn():
    return {
        "beta": pd.Series([1.0, -123.456, np.nan], index=LABELS),
        "share": pd.Series([0.5, np.inf, 12.0], index=LABELS),
    }


def test_table__has_a_title_a_heading_and_a_row_for_each_label():
    got = lines(drawn())
    assert got[0] == "Title"
    assert got[1].split() == ["beta", "share"]
    assert [line[2:21].strip() for line in got[2:]] == LABELS
    assert len(got) == 5


def test_table__aligns_columns_to_the_right():
    got = lines(drawn())
    assert len({len(line) for line in got[1:]}) == 1
    at = got[1].index("beta") + len("beta")
    for line, cell in zip(got[2:], ["+1.00", "-123.46", "-"], strict=True):
        assert line[:at].endswith(" " + cell)
    assert [line.split()[-1] for line in got[2:]] == ["50.0%", "-", "1200.0%"]


def test_table__shows_missing_and_infinite_values_as_a_dash():
    got = lines({"x": pd.Series([np.nan, np.inf, -np.inf, 0.0], index=list("abcd"))}, ".1f")
    assert [line.split()[1] for line in got[2:]] == ["-", "-", "-", "0.0"]


def test_table__a_heading_wider_than_its_cells_sets_the_width():
    got = lines({"a long heading": pd.Series([1.0], index=["b"])}, ".0f")
    assert got[1:] == ["    a long heading", "  b              1"]


def test_table__takes_arrays_and_puts_other_columns_in_the_order_of_the_first():
    first = xr.DataArray([1.0, 2.0], dims="factor", coords={"factor": ["a", "b"]}, name="f")
    second = xr.DataArray([20.0, 10.0], dims="factor", coords={"factor": ["b", "a"]}, name="g")
    got = lines({"first": first, "second": second}, ".0f .0f")
    assert [line.split() for line in got[2:]] == [["a", "1", "10"], ["b", "2", "20"]]


def test_table__a_label_that_a_column_lacks_is_missing():
    columns = {"x": pd.Series([1.0, 2.0], index=["a", "b"]), "y": pd.Series([3.0], index=["b"])}
    assert [line.split() for line in lines(columns, ".0f .0f")[2:]] == [
        ["a", "1", "-"], ["b", "2", "3"],
    ]  # fmt: skip


def test_table__wants_a_format_for_each_column():
    with pytest.raises(ValueError, match="argument"):
        lines(drawn(), ".1f")


def test_table__whole_numbers_are_formatted_like_others():
    got = lines({"n": pd.Series([3, 4], index=["a", "b"])}, ".1f")
    assert [line.split()[1] for line in got[2:]] == ["3.0", "4.0"]


# --- summaries of regressions -------------------------------------------------------------------


@pytest.fixture(scope="module")
def regression():
    """Returns of one asset and two factors, with a gap, and the complete rows of them."""
    rng = np.random.default_rng(3)
    dates = pd.date_range("2000-01-03", periods=80, freq="B")
    x = xr.DataArray(rng.normal(size=(80, 2)), dims=("date", "factor"),
                     coords={"date": dates, "factor": ["market", "SMB"]})  # fmt: skip
    y = 0.1 + x.sum("factor") + rng.normal(size=80)
    y[5] = np.nan
    known = np.delete(np.arange(80), 5)
    return y, x, (y.values[known], sm.add_constant(x.values[known]))


@pytest.mark.parametrize("se", ["ols", "white"])
def test_summary__is_that_of_statsmodels(regression, se):
    y, x, (endog, exog) = regression
    fit = xf.time_series_ols(y, x, se=se)
    kind = {"ols": "nonrobust", "white": "HC1"}[se]
    peer = sm.OLS(endog, exog).fit(cov_type=kind)
    got = xf.summary(fit)
    want = np.column_stack([peer.params, peer.bse, peer.tvalues, peer.pvalues, peer.conf_int()])
    np.testing.assert_allclose(got.coefficients, want, rtol=1e-9, atol=1e-14)
    assert list(got.coefficients.index) == ["alpha", "market", "SMB"]
    assert got.facts["observations"] == "79"
    assert got.facts["R2"] == f"{peer.rsquared:.4f}"
    assert got.facts["R2 adjusted"] == f"{peer.rsquared_adj:.4f}"


def test_summary__takes_every_kind_of_regression():
    panel, _ = xf.simulate_panel(dates=90, assets=40, seed=1)
    x = xf.standardize(panel[["market_cap", "book_to_price"]])
    market = panel.market_returns.rename("market")
    groups = {"groups": panel.sector}
    fits = {
        "Premia": xf.fama_macbeth(panel.returns, x),
        "Means": xf.newey_west(panel.returns.mean("asset")),
        "Betas": xf.rolling_ols(panel.returns, market, window=30).isel(date=-1, asset=0),
        "Factor returns": xf.cross_sectional_ols(panel.returns, x, **groups).isel(date=[-1]),
    }
    for title, fit in fits.items():
        got = xf.summary(fit)
        assert got.title == title
        c = got.coefficients
        known = c[np.isfinite(c["std err"])]
        assert len(known)
        assert ((known.low < known.coef) & (known.coef < known.high)).all()
        np.testing.assert_allclose(c["t"], c["coef"] / c["std err"])
        assert str(got).splitlines()[0] == title
    assert xf.summary(fits["Factor returns"]).facts["date"] == str(panel.date.values[-1])[:10]


def test_summary__shows_what_is_missing_as_a_dash_and_text_as_text(regression):
    y, x, _ = regression
    odd = x.assign_coords(factor=["a<b", "SMB"])
    got = xf.summary(xf.time_series_ols(y.where(y > 1e9), odd))
    assert np.isnan(got.coefficients.to_numpy()).all()
    assert str(got).splitlines()[2].split() == ["alpha", *["-"] * 6]
    assert repr(got) == str(got)
    html = got._repr_html_()
    assert "<table" in html
    assert "a&lt;b" in html
    assert "a<b" not in html
    assert "<td>-</td>" in html


def test_summary__of_several_regressions_or_of_none_says_what_to_type(regression):
    y, x, _ = regression
    several = xr.concat([y, y + 1], pd.Index([1, 2], name="asset"))
    with pytest.raises(xf.PanelError, match=r"fit\.isel\(asset=-1\)"):
        xf.summary(xf.time_series_ols(several, x))
    with pytest.raises(xf.PanelError, match="estimates and their stderr"):
        xf.summary(xf.rolling_ols(y, x, window=20, se=None))
    with pytest.raises(TypeError, match="found DataArray"):
        xf.summary(y)
