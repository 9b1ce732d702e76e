"""The pictures of a run of the lecture, saved to files."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from xfactor import panel
from xfactor.plot.distributions import histogram
from xfactor.plot.series import cumulative, hedged, lines, multiples


def lecture_plots(
    one: xr.Dataset, two: xr.Dataset, snapshot: xr.Dataset, folder: Path,
    truth: xr.DataArray | None = None,
) -> list[Path]:  # fmt: skip
    """Save the lecture's pictures as PNG files.

    Parameters
    ----------
    one, two
        Computed results of `lecture.approach_one` and `lecture.approach_two`.
    snapshot
        ``raw`` and ``winsorized`` z-scores of book to price on one date.
    folder
        Where to; it is made if need be.
    truth
        True factor returns (date, factor), drawn beside the estimates of approach 2.

    Returns
    -------
    list of pathlib.Path
        The files.

    Examples
    --------
    >>> import tempfile, xarray as xr, xfactor as xf
    >>> from pathlib import Path
    >>> from xfactor import lecture, plot
    >>> panel, truth = xf.simulate_panel(dates=300, assets=100, seed=1)
    >>> x = lecture.characteristics(panel)
    >>> one = lecture.approach_one(panel, x, lecture.largest_names(panel), window=20)
    >>> two = lecture.approach_two(panel, x)
    >>> kinds = {"raw": xf.zscore(x["value"]), "winsorized": xf.standardize(x["value"])}
    >>> day = xr.Dataset(kinds).isel(date=-1)
    >>> results = xf.compute(one.drop_vars("asset_beta"), two, day)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = plot.lecture_plots(*results, Path(folder), truth.factor_returns)
    >>> files[0].name
    '1_daily_factor_returns.png'
    """
    traded = one.factor_return
    sorts = traded.sel({panel.FACTOR: [f for f in traded[panel.FACTOR].values if f != "market"]})
    estimated = cumulative(two.factor_return, "Approach 2: factor returns")
    if truth is not None:
        both = [f for f in two[panel.FACTOR].values if f in truth[panel.FACTOR].values]
        seen = two.factor_return.sel({panel.FACTOR: both}).notnull()
        true = truth.sel({panel.FACTOR: both}).where(seen)
        cumulative(true, "", ax=estimated, style=":", suffix=" (true)")
    betas = one.asset_beta_quantile
    day = np.datetime_as_string(snapshot[panel.DATE].values, unit="D")
    pictures = {
        "1_daily_factor_returns": multiples(
            sorts, "Daily returns of the factor portfolios", "daily return", percent=True
        ),
        "2_cumulative_factor_returns": cumulative(sorts, "Factor portfolios held over time"),
        "3_market": lines(
            traded.sel({panel.FACTOR: ["market"]}), "Market", "daily return", percent=True
        ),
        "4_rolling_betas": lines(
            one.rolling_sensitivity,
            f"Rolling betas of the portfolio ({one.attrs['window']} dates)",
            "beta",
        ),
        "5_betas_of_every_asset": multiples(
            betas.isel(quantile=1),
            f"Rolling betas of every asset ({one.attrs['window']} dates): median, 10 % to 90 %",
            "beta",
            band=(betas.isel(quantile=0), betas.isel(quantile=-1)),
        ),
        "6_winsorized_exposures": histogram(
            {"z-score": snapshot.raw, "winsorized, then z-score": snapshot.winsorized},
            f"Book to price on {day}",
            "z-score",
        ),
        "7_cross_sectional_factor_returns": estimated,
        "8_hedged": hedged(one.portfolio_return, one.hedged_return),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in pictures.items():
        figure = picture if isinstance(picture, Figure) else picture.get_figure(root=True)
        assert figure is not None  # Axes of ours always have one
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=110)
        paths.append(path)
    return paths
