"""Correlation of signals with the returns that come after them, date by date."""

from typing import Literal

import xarray as xr

from xfactor import panel
from xfactor.evaluation._data import HORIZON, Forward, Signals, ahead, dropped, signals
from xfactor.evaluation._pairs import (
    SERIES,
    Measured,
    correlated_by_value,
    correlated_in_order,
)
from xfactor.evaluation.means import arranged, means

METHODS = ("spearman", "pearson")


def information_coefficient(
    x: xr.DataArray | xr.Dataset,
    forward: Forward,
    *,
    method: Literal["spearman", "pearson"] = "spearman",
    weights: xr.DataArray | None = None,
    min_obs: int = 2,
    lags: int | None = None,
    dim: str = panel.DATE,
    asset_dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
    listed: xr.DataArray | None = None,
    stale: xr.DataArray | None = None,
) -> xr.Dataset:
    """Correlate signals with the returns that came after them, across the assets of each date.

    This function does not read ahead: `forward` holds the future, as data. So its results are
    known only when those returns are, and are no input of a strategy.

    Parameters
    ----------
    x
        Signals (date, asset), known at the end of each date; many as (date, asset, factor). A
        Dataset of signals is taken as one array with a `factor` dim. One chunk along `asset_dim`.
    forward
        Returns over the dates after each date (date, asset), decimal, from `forward_returns`; taken
        to be those of one date ahead, unless a coord `horizon` says how many. For several horizons
        a mapping from the number of dates to each, such as ``{1: r1, 5: r5}``, or an array with a
        `horizon` dim labelled by it.
    method
        ``"spearman"`` correlates ranks among the pairs where both are known (equal values get
        their average rank), ``"pearson"`` the values.
    weights
        Weights of the assets (date, asset) in the correlation, e.g. the square root of market cap.
        A pair without a positive weight is left out. Ranks are not weighted.
    min_obs
        Pairs needed on a date (in a group); with fewer it is missing.
    lags
        Newey-West lags of the errors of the means; by default floor(4 (T / 100)^(2/9)), T the
        number of dates, and at least the horizon less 1: returns over several dates overlap.
    dim
        Dimension of dates.
    asset_dim
        Dimension of assets.
    where
        Universe mask of the signals. Returns are taken wherever they are known.
    by
        Group codes: the correlation within each group, along a dim `group`. Lazy codes need
        the attribute ``flag_values``.
    listed
        bool mask of the assets that were listed: only to tell what was left out.
    stale
        bool mask of signals that are out of date: they are left out, and counted.

    Returns
    -------
    xarray.Dataset
        ``ic`` (date, ...), from -1 to 1; over the dates its ``mean``, ``std`` (ddof 1), ``ir`` =
        mean / std (per date, not annualised), ``stderr`` and ``tvalue`` of the mean by Newey-West,
        and ``n_dates``. ``n_obs`` are the pairs that entered on each date; ``n_dropped`` the assets
        that did not, along `reason`: ``"not_listed"``, ``"masked"``, ``"missing"`` (no signal),
        ``"stale"``, ``"no_return"``, ``"no_weight"``, ``"thin"`` (fewer than `min_obs`), those that
        apply. Both sum to the number of assets (of the group). A date on which the signal or the
        returns are constant is missing. Lazy if an input is.

    Raises
    ------
    PanelError
        If `method` is unknown, a horizon is no whole number of at least 1, `min_obs` none of at
        least 2 or `lags` none of at least 0, or `weights` are not of assets; if a signal has a
        dim `horizon`, `group` or `reason`, a dim is missing, assets are cut into chunks, labels
        or chunks differ, dates are not in order, or lazy `by` has no ``flag_values``.
    TypeError
        If `x`, `forward` or `weights` holds no numbers or is of another type, a mask is not
        bool, or `by` holds no integers.

    References
    ----------
    Grinold, R. and Kahn, R. (2000). Active Portfolio Management, 2nd edition, chapter 6.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], dims=("date", "asset"))
    >>> after = xr.DataArray([[0.1, 0.2, 0.4], [0.1, 0.3, 0.2]], dims=("date", "asset"))
    >>> fit = xf.information_coefficient(x, after)
    >>> fit.ic.values
    array([1. , 0.5])
    >>> float(fit["mean"]), fit.n_obs.values
    (0.75, array([3, 3], dtype=int32))
    """
    what = "information_coefficient"
    panel.choice("method", method, METHODS)
    least = panel.positive("min_obs", min_obs, 2)
    s = signals(
        x, where=where, by=by, listed=listed, stale=stale, dim=dim, asset_dim=asset_dim,
        what=what, taken=[HORIZON],
    )  # fmt: skip
    after = ahead(forward, s)
    if weights is None and method == "spearman":
        found = correlated_in_order(s, after, correlated=True, least=least, buckets=None)
    else:
        if weights is not None:
            panel.check_numbers(s.x, weights, "weights")
            weights = panel.as_float(panel.bare(s.x, weights))
            if asset_dim not in weights.dims:
                raise panel.error(
                    f"weights have no dimension {asset_dim!r}",
                    "weights of assets",
                    "Leave them out",
                )
        ranks = method == "spearman"
        found = correlated_by_value(s, after, ranks=ranks, least=least, weights=weights)
    lost = ["no_return", *(["no_weight"] if weights is not None else []), "thin"]
    return correlation_result(s, found, lost, after.horizons, lags, method=method)


def correlation_result(
    s: Signals,
    found: Measured,
    lost: list[str],
    horizons: list[int],
    lags: int | None,
    name: str = "ic",
    **attrs: object,
) -> xr.Dataset:
    """The correlations, what they amount to, and what was left out for which of the reasons."""
    ic = found.series.isel({SERIES: 0}).assign_attrs(long_name="information coefficient", units="1")
    mean = means(ic, horizons, lags, s.dim)
    std = mean["std"]
    counts = [found.count(k) for k in range(1 + len(lost))]
    return arranged(
        {
            name: ic,
            "mean": mean["mean"],
            "std": std,
            "ir": mean["mean"] / std.where(std > 0),
            "stderr": mean["stderr"],
            "tvalue": mean["tvalue"],
            "n_dates": mean["n_dates"],
            "n_obs": counts[-1],
            "n_dropped": dropped([*s.reasons, *lost], [*s.counts, *counts], s.what),
        },
        s,
        lags=mean.attrs["lags"],
        **attrs,
    )
