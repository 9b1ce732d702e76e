"""Mean returns of the buckets of signals."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import panel
from xfactor.cross_section import rank
from xfactor.cross_section.buckets import cuts_of
from xfactor.evaluation._data import BUCKET, HORIZON, Forward, Signals, ahead, dropped, signals
from xfactor.evaluation._pairs import COUNT, SERIES, Measured, correlated_in_order
from xfactor.evaluation.means import arranged, means
from xfactor.kernels import evaluation as _evaluation


def quantile_returns(
    x: xr.DataArray | xr.Dataset,
    forward: Forward,
    *,
    bins: int | Sequence[float] | np.ndarray = 10,
    method: Literal["pivot", "ecdf", "rank"] = "pivot",
    gross: Literal[1, 2] = 2,
    min_names: int = 1,
    lags: int | None = None,
    dim: str = panel.DATE,
    asset_dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
    listed: xr.DataArray | None = None,
    stale: xr.DataArray | None = None,
) -> xr.Dataset:
    """Average the returns that came after signals, by bucket of the signal, on each date.

    This function does not read ahead: `forward` holds the future, as data. Buckets are cut among
    all signals known at the date, whether or not a return followed: who survived is not known then.

    Parameters
    ----------
    x
        Signals (date, asset), as in `information_coefficient`.
    forward
        Returns over the dates after each date, of one or of several horizons, as there. For
        returns relative to those of the universe or of a group pass those, from `demean`.
    bins
        Number of buckets, or their edges as fractions; see `qcut`.
    method
        How buckets are cut; see `qcut`.
    gross
        2: the spread is the highest bucket less the lowest, long 1 and short 1. 1: half of it.
    min_names
        Names with a return that the mean of a bucket needs; with fewer it is missing.
    lags
        Newey-West lags of the errors of the means, as in `information_coefficient`.
    dim
        Dimension of dates.
    asset_dim
        Dimension of assets.
    where
        Universe mask of the signals. Returns are taken wherever they are known.
    by
        Group codes: buckets within each group, and their means along a dim `group`.
    listed
        bool mask of the assets that were listed: only to tell what was left out.
    stale
        bool mask of signals that are out of date: they are left out, and counted.

    Returns
    -------
    xarray.Dataset
        ``returns`` (date, ..., bucket), decimal over the horizon, equal weights, bucket 0 that of
        the smallest signals; ``spread`` (date, ...). Over the dates: ``mean``, ``stderr``,
        ``tvalue`` and ``n_dates`` (..., bucket), and ``spread_mean``, ``spread_stderr``,
        ``spread_tvalue``, by Newey-West. ``monotonicity`` is the rank correlation of the means
        with their buckets, 1 if they rise throughout; ``min_step`` the smallest difference of
        neighbouring means, positive only if all rise (J of Patton and Timmermann; without their
        bootstrapped test). ``n_obs`` (date, ..., bucket) are the names in each mean, ``n_dropped``
        the assets in none, along `reason`, as in `information_coefficient`; ``"thin"`` are those
        in a bucket of fewer than `min_names`.

    Raises
    ------
    PanelError
        If `method` is unknown, a horizon or `min_names` is no whole number of at least 1,
        `lags` none of at least 0, `bins` makes fewer than two buckets or has edges that do not
        rise from 0 to 1, or `gross` is neither 1 nor 2; if a signal has a dim `horizon`,
        `bucket`, `group` or `reason`, a dim is missing, assets are cut into chunks, labels or
        chunks differ, dates are not in order, or lazy `by` has no ``flag_values``.
    TypeError
        If `x` or `forward` holds no numbers or is of another type, a mask is not bool, or `by`
        holds no integers.

    References
    ----------
    Patton, A. and Timmermann, A. (2010). Monotonicity in asset returns. Journal of Financial
    Economics 98, 605-625, equation 7.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 3.0, 4.0]] * 2, dims=("date", "asset"))
    >>> after = xr.DataArray([[0.0, 0.1, 0.2, 0.4], [0.1, 0.1, 0.3, 0.3]], dims=("date", "asset"))
    >>> fit = xf.quantile_returns(x, after, bins=2)
    >>> fit.returns.round(6).values
    array([[0.05, 0.3 ],
           [0.1 , 0.3 ]])
    >>> fit.spread.round(6).values
    array([0.25, 0.2 ])
    """
    what = "quantile_returns"
    cut = buckets_of(bins, method, min_names)
    share = share_of(gross)
    s = signals(
        x, where=where, by=by, listed=listed, stale=stale, dim=dim, asset_dim=asset_dim,
        what=what, taken=[HORIZON, BUCKET],
    )  # fmt: skip
    after = ahead(forward, s)
    found = correlated_in_order(s, after, correlated=False, least=0, buckets=cut)
    average = means(found.series, after.horizons, lags, dim)
    variables = bucket_variables(s, found, average, 0, share)
    return arranged(variables, s, lags=average.attrs["lags"], gross=gross)


def buckets_of(bins: Any, method: str, min_names: int) -> _evaluation.Buckets:
    """How to cut, with the options checked."""
    panel.choice("method", method, _evaluation.CUTS)
    cut = _evaluation.Buckets(
        cuts_of(bins), _evaluation.CUTS[method], panel.positive("min_names", min_names)
    )
    if cut.n < 2:
        raise panel.error(
            f"bins={panel.shown(bins)} was given", "at least two buckets", "Use e.g. bins=5"
        )
    return cut


def share_of(gross: object) -> float:
    """By what the spread of a portfolio of gross 2 is multiplied."""
    if panel.number("gross", gross) not in (1, 2):
        raise panel.error(
            f"gross={panel.shown(gross)} was given", "1 or 2", "Use 2 for top less bottom"
        )
    return 0.5 * panel.number("gross", gross)


def bucket_variables(
    s: Signals, found: Measured, average: xr.Dataset, first: int, share: float
) -> dict[str, xr.DataArray]:
    """Results by bucket, whose series begin at the place `first`, the spread after them."""
    n = found.counts.sizes[COUNT] - _evaluation.COUNTS
    numbers = np.arange(n)

    def by_bucket(x: xr.DataArray) -> xr.DataArray:
        own = x.isel({SERIES: slice(first, first + n)}).rename({SERIES: BUCKET})
        return own.assign_coords({BUCKET: numbers})

    def of_spread(x: xr.DataArray) -> xr.DataArray:
        return x.isel({SERIES: first + n})

    used = found.counts.isel({COUNT: slice(_evaluation.COUNTS, None)}).rename({COUNT: BUCKET})
    n_obs = used.assign_coords({BUCKET: numbers})
    counts = [*s.counts, found.count(0), found.count(1), n_obs.sum(BUCKET, dtype=np.int32)]
    mean = by_bucket(average["mean"])
    return {
        "returns": by_bucket(found.series).assign_attrs(long_name="mean return", units="decimal"),
        "spread": share * of_spread(found.series),
        "mean": mean,
        "stderr": by_bucket(average["stderr"]),
        "tvalue": by_bucket(average["tvalue"]),
        "n_dates": by_bucket(average["n_dates"]),
        "spread_mean": share * of_spread(average["mean"]),
        "spread_stderr": share * of_spread(average["stderr"]),
        "spread_tvalue": of_spread(average["tvalue"]),
        "monotonicity": _monotonicity(mean),
        "min_step": mean.diff(BUCKET).min(BUCKET, skipna=False),
        "n_obs": n_obs,
        "n_dropped": dropped([*s.reasons, "no_return", "thin"], counts, s.what),
    }


def _monotonicity(mean: xr.DataArray) -> xr.DataArray:
    """Rank correlation of means with the numbers of their buckets; all must be known."""
    middle = 0.5 * (mean.sizes[BUCKET] - 1)
    place = mean[BUCKET] - middle
    ranks = rank(mean, method="average", dim=BUCKET) - 1 - middle
    squares = (ranks * ranks).sum(BUCKET, skipna=False)
    product = (ranks * place).sum(BUCKET, skipna=False)
    whole = float((place * place).sum())
    return product / np.sqrt(squares.where(squares > 0) * whole)
