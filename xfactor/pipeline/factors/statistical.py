"""Correlations and regressions of the histories of assets."""

from fractions import Fraction
from functools import partial
from typing import Any, Self

import numpy as np
import xarray as xr
from scipy.special import stdtr

from xfactor import _apply, panel, regression, time_series
from xfactor.pipeline._builtin import BuiltIn
from xfactor.pipeline._rules import unnamed
from xfactor.pipeline._term import FACTOR, Term, Value
from xfactor.pipeline._windowed import is_price
from xfactor.pipeline._windows import spearman_rows, windows_of
from xfactor.pipeline.factor import Factor
from xfactor.pipeline.factors.basic import Returns


class OfTwo(BuiltIn, Factor):
    """What relates a Factor to another one, or to one series."""

    takes = (FACTOR, FACTOR)

    @classmethod
    def _checked(cls, inputs: list[Term], length: int, params: dict[str, Any]) -> dict[str, Any]:
        params = super()._checked(inputs, length, params)
        if inputs[0].per_date and not inputs[1].per_date:
            raise panel.error(
                f"{cls.__name__} was given a series, {inputs[0]}, and a target per asset",
                "a Factor with a number per asset first",
                "Swap them",
            )
        return params


class RollingPearson(OfTwo):
    """Correlation of a Factor with a target over the window, from -1 to 1.

    Missing where a date of the window lacks either value, or where one is constant.

    Parameters
    ----------
    base_factor
        The Factor.
    target
        A Factor: each asset with itself; or the series of one asset, ``factor[asset]``.
    correlation_length
        Dates of the window, at least 2.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import Returns, RollingPearson
    >>> returns = Returns(window_length=2)
    >>> RollingPearson(returns, returns["SPY"], 60) is returns.pearsonr(returns["SPY"], 60)
    True
    """

    def __new__(  # noqa: D102
        cls, base_factor: Any, target: Any, correlation_length: int, mask: Any = None
    ) -> Self:
        length = panel.positive("correlation_length", correlation_length, 2)
        return super().__new__(cls, [base_factor, target], length, mask)

    def _from(self, *values: xr.DataArray) -> Value:
        return unnamed(time_series.rolling_corr(*values, window=self.window_length))


class RollingSpearman(OfTwo):
    """Correlation of the ranks of a Factor and a target over the window, from -1 to 1.

    Equal values share the mean of their ranks. Missing where a date of the window lacks either
    value, or where one is constant.

    Parameters
    ----------
    base_factor, target, correlation_length, mask
        As in `RollingPearson`.

    Notes
    -----
    Windows are ranked one by one: the time grows with their length.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.factors import RollingSpearman
    >>> RollingSpearman(field("returns"), field("turnover"), correlation_length=20)
    RollingSpearman(window_length=20) <- returns, turnover
    """

    def __new__(  # noqa: D102
        cls, base_factor: Any, target: Any, correlation_length: int, mask: Any = None
    ) -> Self:
        length = panel.positive("correlation_length", correlation_length, 2)
        return super().__new__(cls, [base_factor, target], length, mask)

    def _from(self, *values: xr.DataArray) -> Value:
        return windows_of(spearman_rows, values, self.window_length, type(self).__name__)


class RollingLinearRegression(OfTwo):
    """Regression of a Factor on another one, with a constant, over the window.

    Outputs ``alpha`` (units of the dependent), ``beta`` and its standard error ``stderr`` (units
    of the dependent per unit of the independent), ``r_value`` and ``p_value``, two-sided, of a
    slope of 0. Missing where a date of the window lacks either value, or the independent is
    constant; errors and p-values also of windows of two dates.

    Parameters
    ----------
    dependent
        The Factor.
    independent
        A Factor: each asset on itself; or the series of one asset, ``factor[asset]``.
    regression_length
        Dates of the window, at least 2.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import Returns
    >>> returns = Returns(window_length=2)
    >>> fit = returns.linear_regression(returns["SPY"], regression_length=252)
    >>> fit.beta
    .beta <- RollingLinearRegression(window_length=252)
    """

    outputs = ("alpha", "beta", "r_value", "p_value", "stderr")

    def __new__(  # noqa: D102
        cls, dependent: Any, independent: Any, regression_length: int, mask: Any = None
    ) -> Self:
        length = panel.positive("regression_length", regression_length, 2)
        return super().__new__(cls, [dependent, independent], length, mask)

    def _from(self, *values: xr.DataArray) -> Value:
        y, x = values
        n = self.window_length
        fit = regression.rolling_ols(y, x.rename("x"), window=n, min_obs=n)
        beta, stderr = (fit[k].isel({panel.FACTOR: 0}, drop=True) for k in ("beta", "stderr"))
        test = [_apply.Arg(beta), _apply.Arg(stderr)]
        kernel = partial(two_sided, df=n - 2)
        (p_value,) = _apply.along(kernel, test, [_apply.Out((), beta.dtype)], what="p_value")
        found = {
            "alpha": fit["alpha"],
            "beta": beta,
            "r_value": time_series.rolling_corr(y, x, window=n),
            "p_value": p_value,
            "stderr": stderr,
        }
        return {name: unnamed(v) for name, v in found.items()}

    @property
    def _levelled(self) -> bool:
        return any(is_price(i) for i in self.inputs)

    def _at_level(self, done: Value, level: xr.DataArray) -> Value:
        y, x = (is_price(i) for i in self.inputs)
        units = {"alpha": (y, False), "beta": (y, x), "stderr": (y, x)}
        scaled = dict(done)
        for name, (above, below) in units.items():
            if above and not below:
                scaled[name] = done[name] * level
            elif below and not above:
                scaled[name] = done[name] / level
        return scaled


def two_sided(estimate: np.ndarray, stderr: np.ndarray, *, df: int) -> np.ndarray:
    """Two-sided p-values of estimates with standard errors, by Student's t."""
    if df < 1:
        return np.full_like(estimate, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(estimate.astype(np.float64)) / stderr
    return (2.0 * stdtr(df, -t)).astype(estimate.dtype)


class RollingPearsonOfReturns(RollingPearson):
    """Correlation of the returns of each asset with those of one of them: `RollingPearson`.

    Parameters
    ----------
    target
        Label of the asset.
    returns_length
        Dates over which a return is, at least 2: `Returns`.
    correlation_length
        Dates of the window, at least 2.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import RollingPearsonOfReturns
    >>> RollingPearsonOfReturns("SPY", returns_length=2, correlation_length=60).window_length
    60
    """

    def __new__(  # noqa: D102
        cls, target: Any, returns_length: int, correlation_length: int, mask: Any = None
    ) -> Self:
        returns = _returns(returns_length)
        return super().__new__(cls, returns, returns[target], correlation_length, mask)


class RollingSpearmanOfReturns(RollingSpearman):
    """Rank correlation of the returns of each asset with those of one: `RollingSpearman`.

    Parameters
    ----------
    target, returns_length, correlation_length, mask
        As in `RollingPearsonOfReturns`.

    Examples
    --------
    >>> from xfactor.pipeline.factors import RollingSpearmanOfReturns
    >>> RollingSpearmanOfReturns("SPY", returns_length=2, correlation_length=60).window_length
    60
    """

    def __new__(  # noqa: D102
        cls, target: Any, returns_length: int, correlation_length: int, mask: Any = None
    ) -> Self:
        returns = _returns(returns_length)
        return super().__new__(cls, returns, returns[target], correlation_length, mask)


class RollingLinearRegressionOfReturns(RollingLinearRegression):
    """Regression of the returns of each asset on those of one: `RollingLinearRegression`.

    Parameters
    ----------
    target
        Label of the asset on whose returns the others are regressed.
    returns_length
        Dates over which a return is, at least 2: `Returns`.
    regression_length
        Dates of the window, at least 2.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import RollingLinearRegressionOfReturns
    >>> fit = RollingLinearRegressionOfReturns("SPY", returns_length=2, regression_length=252)
    >>> alpha, beta, r_value, p_value, stderr = fit
    """

    def __new__(  # noqa: D102
        cls, target: Any, returns_length: int, regression_length: int, mask: Any = None
    ) -> Self:
        returns = _returns(returns_length)
        return super().__new__(cls, returns, returns[target], regression_length, mask)


class SimpleBeta(OfTwo):
    """Slope of the daily returns of each asset on those of one of them.

    Dates that lack either return do not count; missing where too many do, or where the returns of
    the target are constant.

    Parameters
    ----------
    target
        Label of the asset on whose returns the others are regressed.
    regression_length
        Dates of the window, at least 3.
    allowed_missing_percentage
        Share of the dates of the window, from 0 to 1, that may lack a return; 0.25 if not given.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import SimpleBeta
    >>> SimpleBeta("SPY", regression_length=252).target
    'SPY'
    """

    params = ("allowed_missing_percentage",)

    def __new__(  # noqa: D102
        cls,
        target: Any,
        regression_length: int,
        allowed_missing_percentage: float = 0.25,
        mask: Any = None,
    ) -> Self:
        length = panel.positive("regression_length", regression_length, 3)
        share = panel.number("allowed_missing_percentage", allowed_missing_percentage)
        if not 0 <= share <= 1:
            raise panel.PanelError(
                f"allowed_missing_percentage={share!r} was given; needed a number from 0 to 1."
            )
        returns = _returns(2)
        options = {"allowed_missing_percentage": share}
        return super().__new__(cls, [returns, returns[target]], length, mask, **options)

    @property
    def target(self) -> Any:
        """Label of the asset on whose returns the others are regressed."""
        return self.inputs[1].rule.asset

    def _from(self, *values: xr.DataArray) -> Value:
        n = self.window_length
        share = Fraction(str(self.param("allowed_missing_percentage")))  # 0.29 of 100 is 29
        least = max(n - int(share * n), 1)
        return unnamed(time_series.rolling_beta(*values, window=n, min_obs=least))


def _returns(length: int) -> Any:
    return Returns(window_length=panel.positive("returns_length", length, 2))
