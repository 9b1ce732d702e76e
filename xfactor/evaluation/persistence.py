"""How long signals last, and how much of the universe has them."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.cross_section import qcut
from xfactor.evaluation._data import BUCKET, GROUP, HORIZON, Ahead, dropped, known, signals
from xfactor.evaluation._pairs import correlated_in_order
from xfactor.evaluation.buckets import buckets_of
from xfactor.evaluation.correlation import correlation_result
from xfactor.evaluation.means import arranged, means
from xfactor.kernels import membership
from xfactor.time_series import lag


def rank_autocorrelation(
    x: xr.DataArray | xr.Dataset,
    *,
    periods: int = 1,
    min_obs: int = 2,
    lags: int | None = None,
    dim: str = panel.DATE,
    asset_dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> xr.Dataset:
    """Correlate the ranks of signals with those of some dates before, across the assets.

    Parameters
    ----------
    x
        Signals (date, asset), as in `information_coefficient`.
    periods
        How many dates before.
    min_obs
        Assets with a signal on both dates that are needed.
    lags
        Newey-West lags of the error of the mean; by default floor(4 (T / 100)^(2/9)), T the
        number of dates, and at least `periods` less 1.
    dim
        Dimension of dates.
    asset_dim
        Dimension of assets.
    where
        Universe mask, of each date for its own signals.
    by
        Group codes: the correlation within each group (of the later date), along a dim `group`.

    Returns
    -------
    xarray.Dataset
        ``autocorrelation`` (date, ...), from -1 to 1, with average ranks among the assets that have
        a signal on both dates; missing on the first `periods` dates. Its ``mean``, ``std``, ``ir``,
        ``stderr``, ``tvalue``, ``n_dates``, and ``n_obs``, ``n_dropped`` as in
        `information_coefficient`; ``"missing_before"`` are assets without the earlier signal.

    Raises
    ------
    PanelError
        If `periods` is no whole number of at least 1, `min_obs` none of at least 2 or `lags`
        none of at least 0; if a signal has a dim `horizon`, `group` or `reason`, a dim is
        missing, assets are cut into chunks, labels or chunks differ, dates are not in order, or
        lazy `by` has no ``flag_values``.
    TypeError
        If `x` holds no numbers or is of another type, a mask is not bool, or `by` holds no
        integers.

    References
    ----------
    alphalens-reloaded, API reference: ``alphalens.performance.factor_rank_autocorrelation``, which
    ranks before it pairs the dates.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]], dims=("date", "asset"))
    >>> xf.rank_autocorrelation(x).autocorrelation.values
    array([nan, 0.5])
    """
    periods = panel.positive("periods", periods)
    s = signals(
        x, where=where, by=by, dim=dim, asset_dim=asset_dim, what="rank_autocorrelation",
        taken=[HORIZON],
    )  # fmt: skip
    before = Ahead([lag(s.x, periods, dim=dim)], [periods], False)
    least = panel.positive("min_obs", min_obs, 2)
    found = correlated_in_order(s, before, correlated=True, least=least, buckets=None)
    done = correlation_result(
        s, found, ["missing_before", "thin"], [periods], lags, "autocorrelation", periods=periods
    )
    done["autocorrelation"].attrs["long_name"] = "rank autocorrelation"
    return done


def quantile_turnover(
    x: xr.DataArray | xr.Dataset,
    *,
    bins: int | Sequence[float] | np.ndarray = 10,
    method: Literal["pivot", "ecdf", "rank"] = "pivot",
    periods: int = 1,
    lags: int | None = None,
    dim: str = panel.DATE,
    asset_dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> xr.Dataset:
    """Share of the names in each bucket that were not in it some dates before.

    Parameters
    ----------
    x
        Signals (date, asset), as in `information_coefficient`.
    bins
        Number of buckets, or their edges as fractions; see `qcut`.
    method
        How buckets are cut; see `qcut`.
    periods
        How many dates before.
    lags
        Newey-West lags of the error of the mean, as in `rank_autocorrelation`.
    dim
        Dimension of dates.
    asset_dim
        Dimension of assets.
    where
        Universe mask, of each date for its own signals.
    by
        Group codes: buckets within each group, and their turnover along a dim `group`.

    Returns
    -------
    xarray.Dataset
        ``turnover`` (date, ..., bucket), from 0 to 1; a name that had no signal before is new.
        Missing for an empty bucket, and where no name (of the group) had a bucket before, as on
        the first `periods` dates. Its ``mean``, ``stderr``, ``tvalue`` and ``n_dates`` by
        Newey-West; ``n_obs`` (date, ..., bucket), the names in each bucket; ``n_dropped`` as in
        `information_coefficient`. The turnover of weights is another thing: 0.5 sum abs(w_t -
        w_{t-1}).

    Raises
    ------
    PanelError
        If `method` is unknown, `periods` is no whole number of at least 1 or `lags` none of at
        least 0, or `bins` makes fewer than two buckets or has edges that do not rise from 0 to
        1; if a signal has a dim `bucket`, `group` or `reason`, a dim is missing, assets are cut
        into chunks, labels or chunks differ, dates are not in order, or lazy `by` has no
        ``flag_values``.
    TypeError
        If `x` holds no numbers or is of another type, a mask is not bool, or `by` holds no
        integers.

    References
    ----------
    alphalens-reloaded, API reference: ``alphalens.performance.quantile_turnover``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 3.0, 4.0], [3.0, 1.0, 2.0, 4.0]], dims=("date", "asset"))
    >>> xf.quantile_turnover(x, bins=2).turnover.values
    array([[nan, nan],
           [0.5, 0.5]])
    """
    what = "quantile_turnover"
    n_buckets = buckets_of(bins, method, 1).n
    periods = panel.positive("periods", periods)
    s = signals(
        x, where=where, by=by, dim=dim, asset_dim=asset_dim, what=what, taken=[BUCKET]
    )  # fmt: skip
    codes = None if s.groups is None else panel.bare(s.x, s.groups.codes)
    labels = qcut(s.x, bins, method=method, dim=asset_dim, by=codes)
    kernel = partial(membership.turnover_rows, values=s.values, n_buckets=n_buckets)
    args = [_apply.Arg(a, (asset_dim,)) for a in (labels, lag(labels, periods, dim=dim))]
    names = {GROUP: s.group_labels, BUCKET: np.arange(n_buckets)}
    outs = [_apply.Out((GROUP, BUCKET), d, names) for d in (np.float64, np.int32)]
    found = _apply.along(kernel, [*args, *s.codes], outs, what=what)
    turnover, n_obs = (s.ungrouped(a) for a in found)
    average = means(turnover, [periods], lags, dim)
    counts = [*s.counts, n_obs.sum(BUCKET, dtype=np.int32)]
    return arranged(
        {
            "turnover": turnover.assign_attrs(long_name="share of new names", units="1"),
            "mean": average["mean"],
            "stderr": average["stderr"],
            "tvalue": average["tvalue"],
            "n_dates": average["n_dates"],
            "n_obs": n_obs,
            "n_dropped": dropped(s.reasons, counts, what),
        },
        s,
        lags=average.attrs["lags"],
        periods=periods,
    )


def coverage(
    x: xr.DataArray | xr.Dataset,
    *,
    dim: str = panel.DATE,
    asset_dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
    listed: xr.DataArray | None = None,
    stale: xr.DataArray | None = None,
) -> xr.Dataset:
    """Share of the universe that has a signal, on each date.

    Parameters
    ----------
    x
        Signals (date, asset), as in `information_coefficient`.
    dim
        Dimension of dates.
    asset_dim
        Dimension of assets.
    where
        Universe mask; all assets if not given.
    by
        Group codes: the share in each group, along a dim `group`.
    listed
        bool mask of the assets that were listed; others are not in the universe.
    stale
        bool mask of signals that are out of date: they are as good as none.

    Returns
    -------
    xarray.Dataset
        ``coverage`` (date, ...), from 0 to 1, missing where the universe is empty; ``n_obs`` and
        ``n_universe``, its two parts; ``n_dropped`` (date, ..., reason), the assets without a
        signal by reason: ``"not_listed"``, ``"masked"``, ``"missing"``, ``"stale"``, those that
        apply. ``n_obs`` and they sum to the number of assets (of the group).

    Raises
    ------
    PanelError
        If a signal has a dim `group` or `reason`, a dim is missing, assets are cut into chunks,
        labels or chunks differ, dates are not in order, or lazy `by` has no ``flag_values``.
    TypeError
        If `x` holds no numbers or is of another type, a mask is not bool, or `by` holds no
        integers.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, float("nan"), 4.0]], dims=("date", "asset"))
    >>> universe = xr.DataArray([True, True, True, False], dims="asset")
    >>> fit = xf.coverage(x, where=universe)
    >>> fit.coverage.round(3).values, fit.n_dropped.sel(reason="masked").values
    (array([0.667]), array([1], dtype=int32))
    """
    s = signals(
        x, where=where, by=by, listed=listed, stale=stale, dim=dim, asset_dim=asset_dim,
        what="coverage",
    )  # fmt: skip
    n_obs = known(s)
    universe = s.counts[s.reasons.index("missing")]
    share = n_obs / universe.where(universe > 0)
    return arranged(
        {
            "coverage": share.assign_attrs(long_name="share with a signal", units="1"),
            "n_obs": n_obs,
            "n_universe": universe,
            "n_dropped": dropped(s.reasons, [*s.counts, n_obs], s.what),
        },
        s,
    )
