"""Results as plain text tables, for the terminal."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.portfolios import performance


def table(title: str, columns: Mapping[str, xr.DataArray | pd.Series], formats: str) -> str:
    """Return a titled table, one row per label.

    Parameters
    ----------
    title
        First line.
    columns
        Heading and values (label,) of each column; the first one's labels are the rows.
    formats
        One format per column, blank-separated, e.g. ``"+.2f .1%"``.

    Returns
    -------
    str
        Lines of aligned text.

    Examples
    --------
    >>> import pandas as pd
    >>> from xfactor import text
    >>> print(text.table("Betas", {"beta": pd.Series([1.0], index=["market"])}, "+.2f"))
    Betas
              beta
      market +1.00
    """
    series = {k: v.to_series() if isinstance(v, xr.DataArray) else v for k, v in columns.items()}
    rows = next(iter(series.values())).index
    frame = pd.DataFrame({k: s.reindex(rows) for k, s in series.items()}, dtype=float)
    shown = {
        name: [f"{value:{form}}" if np.isfinite(value) else "-" for value in frame[name]]
        for name, form in zip(frame.columns, formats.split(), strict=True)
    }
    left = max(len(str(label)) for label in frame.index)
    widths = {name: max(len(name), *map(len, cells)) for name, cells in shown.items()}
    lines = [title, " " * (left + 2) + "".join(f" {n:>{w}}" for n, w in widths.items())]
    for i, label in enumerate(frame.index):
        cells = "".join(f" {shown[n][i]:>{w}}" for n, w in widths.items())
        lines.append(f"  {label!s:<{left}}{cells}")
    return "\n".join(lines)


def lecture_text(one: xr.Dataset, two: xr.Dataset, truth: xr.Dataset | None = None) -> str:
    """Return what the lecture prints, for computed results of both approaches.

    Parameters
    ----------
    one, two
        Results of `lecture.approach_one` and `lecture.approach_two`, computed.
    truth
        What a simulation knows, as `runs.truth_beside` gives it: columns beside the estimates.

    Returns
    -------
    str
        The tables.

    Raises
    ------
    PanelError
        If there is no date on which all factors are known.
    """
    check_known(one, two)
    return "\n\n".join(
        [
            _sorts(one, truth),
            _sensitivities(one, truth),
            _betas(one, truth),
            _one_date(two, truth),
            _premia(two, truth),
            _hedges(one),
        ]
    )


def check_known(one: xr.Dataset, two: xr.Dataset) -> None:
    """Raise where a universe is too thin for anything to be shown.

    Parameters
    ----------
    one, two
        Results as in `lecture_text`; the assets' betas may be absent.

    Raises
    ------
    PanelError
        If there is no date on which all factors are known.
    """
    shown = {"factor return": one.factor_return, "cross-sectional regression": two.factor_return}
    if "asset_beta_quantile" in one:
        shown["rolling beta"] = one.asset_beta_quantile.isel(quantile=1)
    for name, found in shown.items():
        if not bool(found.notnull().all(panel.FACTOR).any()):
            raise panel.error(
                f"the panel has no date on which every {name} is known",
                "enough names in each leg, and more assets than factors",
                "Use more assets or dates, a larger --fraction, or a smaller --min-names",
            )


def _sorts(one: xr.Dataset, truth: xr.Dataset | None) -> str:
    figures = performance(one.factor_return)
    columns = {
        "mean/year": figures["mean"],
        "vol/year": figures.volatility,
        "t": figures.tvalue,
        "cumulative": figures.cumulative_return,
    }
    formats = "+.2% .2% +.2f +.1%"
    if truth is not None:
        columns |= {"true mean": truth.sort_mean, "corr. with truth": truth.sort_correlation}
        formats += " +.2% .3f"
    title = "Approach 1. Factor returns of characteristic-sorted portfolios"
    return table(title, columns, formats)


def _sensitivities(one: xr.Dataset, truth: xr.Dataset | None) -> str:
    columns = {
        "beta": one.sensitivity,
        "stderr": one.sensitivity_stderr,
        "t": one.sensitivity_tvalue,
    }
    formats = "+.3f .3f +.2f"
    if truth is not None:
        columns["true"] = truth.sensitivity
        formats += " +.3f"
    share = float(one.sensitivity_rsquared)
    title = f"Sensitivities of the portfolio over the whole history (R2 {share:.3f})"
    return table(title, columns, formats)


def _betas(one: xr.Dataset, truth: xr.Dataset | None) -> str:
    known = one.asset_beta_quantile.isel(quantile=1, drop=True).notnull().all(panel.FACTOR)
    last = one.asset_beta_quantile.isel({panel.DATE: np.flatnonzero(known)[-1]})
    columns = {f"{100 * float(q):.0f} %": last.sel(quantile=q) for q in last["quantile"]}
    formats = "+.3f " * len(columns)
    if truth is not None:
        columns |= {"true median": truth.beta_median, "corr. with truth": truth.beta_correlation}
        formats += "+.3f .3f"
    day = pd.Timestamp(last[panel.DATE].item()).date()
    title = f"Rolling betas ({one.attrs['window']} dates) of every asset, on {day}"
    return table(title, columns, formats)


def _one_date(two: xr.Dataset, truth: xr.Dataset | None) -> str:
    known = np.flatnonzero(two.factor_return.notnull().all(panel.FACTOR))
    last = two.isel({panel.DATE: known[-1]})
    columns = {"return": last.factor_return, "stderr": last.stderr, "t": last.tvalue}
    formats = "+.3% .3% +.2f"
    if truth is not None:
        columns["true"] = truth.factor_return.sel({panel.DATE: last[panel.DATE]})
        formats += " +.3%"
    day = pd.Timestamp(last[panel.DATE].item()).date()
    title = (
        f"Approach 2. Regression of the returns of {day} on winsorized z-scores "
        f"({int(last.n_obs)} assets, R2 {float(last.rsquared):.3f})"
    )
    return table(title, columns, formats)


def _premia(two: xr.Dataset, truth: xr.Dataset | None) -> str:
    columns = {
        "mean/day": two.premium,
        "stderr": two.premium_stderr,
        "t": two.premium_tvalue,
    }
    formats = "+.4% .4% +.2f"
    if truth is not None:
        columns |= {"true mean": truth.premium, "corr. with truth": truth.premium_correlation}
        formats += " +.4% .3f"
    dates = int(two.factor_return.notnull().all(panel.FACTOR).sum())
    title = f"Factor returns over {dates} dates (Fama-MacBeth, Newey-West errors)"
    return table(title, columns, formats)


def _hedges(one: xr.Dataset) -> str:
    known = one.hedged_return.notnull()
    streams = {
        "unhedged": one.portfolio_return,
        "hedged": one.hedged_return,
        "hedged in sample": one.hedged_in_sample,
    }
    figures = [performance(r.where(known)) for r in streams.values()]
    labels = list(streams)
    columns = {
        head: pd.Series([float(f[name]) for f in figures], index=labels)
        for head, name in {"mean/year": "mean", "vol/year": "volatility", "t": "tvalue"}.items()
    }
    days = int(known.sum())
    title = f"The portfolio against the four factors, over the {days} dates with known betas"
    return table(title, columns, "+.2% .2% +.2f")
