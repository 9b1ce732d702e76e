"""Returns around the dates on which assets are in a bucket."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.cross_section import qcut
from xfactor.evaluation._data import BUCKET, dropped, known, signals
from xfactor.evaluation.buckets import buckets_of
from xfactor.evaluation.means import arranged, means
from xfactor.kernels import membership

EVENT = "event"


def event_returns(
    x: xr.DataArray | xr.Dataset,
    returns: xr.DataArray,
    *,
    before: int = 5,
    after: int = 10,
    bins: int | Sequence[float] | np.ndarray = 10,
    method: Literal["pivot", "ecdf", "rank"] = "pivot",
    min_names: int = 1,
    lags: int | None = None,
    dim: str = panel.DATE,
    asset_dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> xr.Dataset:
    """Mean returns on the dates before and after an asset is in each bucket of a signal.

    **This reads ahead**, `after` dates: it shows how a signal's returns build up and fade.

    Parameters
    ----------
    x
        Signals (date, asset), as in `information_coefficient`.
    returns
        Decimal returns (date, asset), each over (t-1, t]; in excess of the universe or of a
        group from `demean`.
    before, after
        How many dates before and after.
    bins
        Number of buckets, or their edges as fractions; see `qcut`.
    method
        How buckets are cut; see `qcut`.
    min_names
        Names with a return that a mean needs; with fewer it is missing.
    lags
        Newey-West lags of the error of the means; by default floor(4 (T / 100)^(2/9)), T the
        number of dates, and for compound returns at least the larger of `before`, `after` less 1.
    dim
        Dimension of dates.
    asset_dim
        Dimension of assets.
    where
        Universe mask of the signals. Returns are taken wherever they are known.
    by
        Group codes: buckets are cut within each group; their members are averaged together.

    Returns
    -------
    xarray.Dataset
        ``returns`` (date, ..., bucket, event): of the names in a bucket at the end of date t, the
        mean return over (t + event - 1, t + event], so that event 1 is the first that could be
        earned. ``cumulative_returns``, the mean compound return of holding them from the end of t
        to that of t + event; for an earlier event what their value there was, relative to that at
        t, less 1. A name that lacks a return on the way has none. Over the dates: ``mean``,
        ``stderr``, ``tvalue``, ``n_dates`` (..., bucket, event) of ``returns``, and
        ``cumulative_mean``, ``cumulative_stderr`` of ``cumulative_returns``, all decimal, errors by
        Newey-West. ``cumulative_mean`` averages compound returns over the dates t: it is not
        ``mean`` compounded, and it is 0 at event 0. ``n_obs`` (date, ..., bucket, event), the
        names in each mean return; ``n_dropped`` (date, ..., reason), the assets in no bucket, as
        in `information_coefficient`, in each group with `by`.

    Raises
    ------
    PanelError
        If `method` is unknown, `before`, `after` or `lags` is no whole number of at least 0,
        `min_names` none of at least 1, or `bins` makes fewer than two buckets or has edges that
        do not rise from 0 to 1; if a signal has a dim `bucket`, `event`, `group` or `reason`, a
        dim is missing, assets are cut into chunks, labels or chunks differ, dates are not in
        order, or lazy `by` has no ``flag_values``.
    TypeError
        If `x` or `returns` holds no numbers or is of another type, a mask is not bool, or `by`
        holds no integers.

    References
    ----------
    MacKinlay, A. (1997). Event studies in economics and finance. Journal of Economic Literature 35,
    13-39.

    alphalens-reloaded, API reference:
    ``alphalens.performance.average_cumulative_return_by_quantile``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0]] * 3, dims=("date", "asset"))
    >>> r = xr.DataArray([[0.0, 0.1], [0.0, 0.2], [0.0, 0.3]], dims=("date", "asset"))
    >>> fit = xf.event_returns(x, r, before=1, after=1, bins=2)
    >>> fit["mean"].sel(bucket=1).round(6).values
    array([0.15, 0.2 , 0.25])
    >>> fit.cumulative_mean.sel(bucket=1).round(3).values
    array([-0.199,  0.   ,  0.25 ])
    """
    what = "event_returns"
    cut = buckets_of(bins, method, min_names)
    before, after = panel.positive("before", before, 0), panel.positive("after", after, 0)
    s = signals(
        x, where=where, by=by, dim=dim, asset_dim=asset_dim, what=what, taken=[BUCKET, EVENT]
    )  # fmt: skip
    panel.one_array(returns, what, "returns")
    for each in (dim, asset_dim):
        panel.check_dim(returns, each, what)
    panel.check_numbers(s.x, returns, "returns")
    r = panel.as_float(panel.bare(s.x, returns)).drop_attrs().rename(None)
    codes = None if s.groups is None else panel.bare(s.x, s.groups.codes)
    labels = qcut(s.x, bins, method=method, dim=asset_dim, by=codes)
    kernel = partial(
        membership.event_rows, n_buckets=cut.n, before=before, after=after, least=cut.least
    )
    names = {BUCKET: np.arange(cut.n), EVENT: np.arange(-before, after + 1)}
    outs = [_apply.Out((BUCKET, EVENT), d, names) for d in (np.float64, np.int32, np.float64)]
    args = [_apply.Arg(a, (asset_dim,)) for a in (labels, r)]
    found, n_obs, paths = _apply.window(
        kernel, args, outs, before=before, after=after, dim=dim, what=what
    )
    dtype = np.result_type(s.x.dtype, r.dtype)
    found, paths = found.astype(dtype, copy=False), paths.astype(dtype, copy=False)
    average, path = means(found, [1], lags, dim), means(paths, [max(before, after, 1)], lags, dim)
    return arranged(
        {
            "returns": found.assign_attrs(long_name="mean return", units="decimal"),
            "cumulative_returns": paths.assign_attrs(
                long_name="mean compound return", units="decimal"
            ),
            "mean": average["mean"],
            "stderr": average["stderr"],
            "tvalue": average["tvalue"],
            "n_dates": average["n_dates"],
            "cumulative_mean": path["mean"],
            "cumulative_stderr": path["stderr"],
            "n_obs": n_obs,
            "n_dropped": dropped(s.reasons, [*s.counts, known(s)], what),
        },
        s,
        lags=average.attrs["lags"],
        cumulative_lags=path.attrs["lags"],
    )
