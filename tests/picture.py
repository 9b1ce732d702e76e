"""The picture of the README: `python -m tests.picture` draws it anew.

A simulated market, so that the truth is known: dotted lines are the true factor returns.
"""

import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

import xfactor as xf
from xfactor import lecture, plot
from xfactor.plot.style import legend

PICTURE = Path(__file__).parents[1] / ".pictures" / "factor_returns_and_betas.svg"
TRUE, WEEKLY = " (true)", slice(None, None, 5)  # fewer points: the file is small
STYLES = ["size", "value", "momentum"]


def picture(dates: int = 1260, assets: int = 1000, seed: int = 1) -> Figure:
    """Cumulative factor returns beside the truth, and rolling betas of five companies."""
    panel, truth = xf.simulate_panel(dates=dates, assets=assets, seed=seed)
    characteristics = lecture.characteristics(panel)
    across = lecture.approach_two(panel, characteristics)
    sorts = lecture.factor_portfolios(characteristics)
    factors = lecture.factor_returns(panel, sorts)
    five = xf.portfolio_returns(lecture.largest_names(panel), panel["returns"])
    betas = xf.rolling_ols(five, factors[["market", "SMB", "HML"]], window=100)
    estimated, true, betas = xf.compute(
        across.factor_return.sel(factor=STYLES),
        truth.factor_returns.sel(factor=STYLES),
        betas[["beta", "stderr"]],
    )
    figure = Figure(figsize=(11, 4), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    known = estimated.notnull().all("factor").values
    title, ylabel = "Factor returns: estimated, and true (dotted)", "cumulative return"
    for x, options in ((estimated, {}), (true, {"style": ":", "suffix": TRUE})):
        wealth = xf.cumulative_returns(x.isel(date=known).fillna(0.0)).isel(date=WEEKLY)
        plot.lines(wealth, title, ylabel, percent=True, ax=left, **options)
    for line in left.lines:
        line.set_label(("_" if line.get_label().endswith(TRUE) else "") + line.get_label())
    legend(left)
    plot.betas(betas.isel(date=WEEKLY), "Rolling betas of the five largest companies", ax=right)
    return figure


def main() -> None:
    """Draw the picture and save it."""
    PICTURE.parent.mkdir(exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "xfactor"}):
        picture().savefig(PICTURE, metadata={"Date": None})
    sys.stdout.write(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
