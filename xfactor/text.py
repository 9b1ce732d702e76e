"""Results as tables: plain text for the terminal, HTML for a notebook."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from xfactor import _apply, panel
from xfactor.portfolios.performance import performance

# What a regression estimates, in the order in which a result is searched for it.
ESTIMATES = {"premium": "Premia", "beta": "Betas", "factor_return": "Factor returns",
             "mean": "Means"}  # fmt: skip
ERRORS = {"newey_west": "Newey-West", "white": "White (HC1)", "ols": "classical", "huber": "Huber"}
CONFIDENCE = 0.95


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
        name: [_shown(value, form) for value in frame[name]]
        for name, form in zip(frame.columns, formats.split(), strict=True)
    }
    left = max(len(str(label)) for label in frame.index)
    widths = {name: max(len(name), *map(len, cells)) for name, cells in shown.items()}
    lines = [title, " " * (left + 2) + "".join(f" {n:>{w}}" for n, w in widths.items())]
    for i, label in enumerate(frame.index):
        cells = "".join(f" {shown[n][i]:>{w}}" for n, w in widths.items())
        lines.append(f"  {label!s:<{left}}{cells}")
    return "\n".join(lines)


@dataclass(frozen=True)
class Summary:
    """What a regression found; it prints as a table, and shows as one in a notebook.

    Parameters
    ----------
    title
        What was estimated.
    coefficients
        A row for each coefficient: ``coef``, ``std err``, ``t``, ``p``, and the ends ``low`` and
        ``high`` of the 95 % confidence interval.
    facts
        Observations, R2, kind of errors, by name.
    """

    title: str
    coefficients: pd.DataFrame
    facts: Mapping[str, str]

    def __str__(self) -> str:
        """Return the table as text."""
        columns = {name: self.coefficients[name] for name in self.coefficients}
        lines = [table(self.title, columns, " ".join(self._formats())), ""]
        return "\n".join([*lines, *(f"  {k}: {v}" for k, v in self.facts.items())])

    __repr__ = __str__  # what a prompt shows

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        forms = dict(zip(self.coefficients, self._formats(), strict=True))
        shown = self.coefficients.apply(lambda c: [_shown(v, forms[c.name]) for v in c])
        facts = "; ".join(f"{k}: {v}" for k, v in self.facts.items())
        heading = f"<p><strong>{escape(self.title)}</strong></p>"
        return f"{heading}{shown.to_html(border=0)}<p>{escape(facts)}</p>"

    def _formats(self) -> list[str]:
        """As many decimals as the smallest error has in its first three digits."""
        errors = self.coefficients["std err"]
        least = errors[np.isfinite(errors) & (errors > 0)].min()
        digits = 4 if np.isnan(least) else min(max(2 - math.floor(math.log10(least)), 0), 12)
        return [f"+.{digits}f", f".{digits}f", "+.2f", ".3f", f"+.{digits}f", f"+.{digits}f"]


def summary(fit: xr.Dataset) -> Summary:
    """Summarise one regression as a table of its coefficients.

    Parameters
    ----------
    fit
        Result of `time_series_ols` or `rolling_ols` for one asset (and date), of
        `cross_sectional_ols` for one date, of `fama_macbeth`, or of `newey_west`. A lazy one is
        computed.

    Returns
    -------
    Summary
        Print it, or let a notebook show it. Its ``coefficients`` are a DataFrame with a row for
        each coefficient, ``alpha`` (the constant of a regression through time) the first.
        p-values and intervals are two-sided: by Student's t with n_obs less the coefficients
        degrees of freedom for classical errors, by the normal distribution for others and with
        groups. What is missing in `fit` stays missing.

    Raises
    ------
    PanelError
        If `fit` is of several assets or dates, or no such result.
    TypeError
        If `fit` is not a Dataset.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=4, seed=1)
    >>> market = panel.market_returns.rename("market")
    >>> print(xf.summary(xf.time_series_ols(panel.returns.isel(asset=0), market)))
    Betas
                 coef  std err      t     p       low      high
      alpha  +0.0... 0.0... +0.83 0.405 -0.0... +0.0...
      market +1.0... 0.0... +17.94 0.000 +0.9... +1.1...
    <BLANKLINE>
      observations: 299
      R2: 0.3607
      R2 adjusted: 0.3586
      errors: Newey-West (5 lags)
      asset: 10001
      intervals: 95 %
    """
    if not isinstance(fit, xr.Dataset):
        raise TypeError(f"summary takes the Dataset of a regression; found {type(fit).__name__}.")
    name = next((k for k in ESTIMATES if k in fit and "stderr" in fit), None)
    if name is None:
        raise panel.error(
            f"a Dataset of {', '.join(map(str, fit.data_vars)) or 'nothing'}",
            "estimates and their stderr, as least squares and newey_west give them",
            "Fit with standard errors (se=...)",
        )
    wanted = [name, "stderr", "alpha", "alpha_stderr", "n_obs", "n_assets", "rsquared",
              "rsquared_adjusted"]  # fmt: skip
    (found,) = _apply.compute(fit[[k for k in wanted if k in fit]])
    found = _one_fit(found, name)
    coef, error = (_series(found[k]) for k in (name, "stderr"))
    if "alpha" in found and name == "beta":
        constant = pd.Series([found["alpha"].item()], ["alpha"])
        coef = pd.concat([constant, coef])
        error = pd.concat([pd.Series([found["alpha_stderr"].item()], ["alpha"]), error])
    dof = _dof(fit, found, name, coef)
    t = coef / error
    half = _quantile(dof, 0.5 + CONFIDENCE / 2) * error
    frame = pd.DataFrame({
        "coef": coef, "std err": error, "t": t, "p": 2 * _below(dof, -np.abs(t)),
        "low": coef - half, "high": coef + half,
    })  # fmt: skip
    return Summary(ESTIMATES[name], frame, _facts(fit, found, name))


def _one_fit(found: xr.Dataset, name: str) -> xr.Dataset:
    more = [d for d in found.dims if d != panel.FACTOR]
    found = found.squeeze([d for d in more if found.sizes[d] == 1])
    several = [str(d) for d in found.dims if d != panel.FACTOR]
    if several:
        labels = found[several[0]].values
        raise panel.error(
            f"{ESTIMATES[name].lower()} of {labels.size} labels along {several[0]!r}",
            "one regression",
            f"Choose one, e.g. fit.isel({several[0]}=-1)",
        )
    return found


def _series(x: xr.DataArray) -> pd.Series:
    values = np.atleast_1d(x.values).astype(np.float64)
    labels = np.atleast_1d(x[panel.FACTOR].values) if panel.FACTOR in x.coords else ["mean"]
    return pd.Series(values, [str(k) for k in labels])


def _dof(fit: xr.Dataset, found: xr.Dataset, name: str, coef: pd.Series) -> float | None:
    """Degrees of freedom of Student's t, for classical errors of one regression; else None."""
    one = name in ("beta", "factor_return") and "constraint" not in fit.attrs
    if one and fit.attrs.get("se", "ols") == "ols":
        return max(float(found["n_obs"]) - len(coef), 1.0)
    return None


def _below(dof: float | None, t: pd.Series) -> pd.Series:
    return special.ndtr(t) if dof is None else special.stdtr(dof, t)


def _quantile(dof: float | None, share: float) -> float:
    return float(special.ndtri(share) if dof is None else special.stdtrit(dof, share))


def _facts(fit: xr.Dataset, found: xr.Dataset, name: str) -> dict[str, str]:
    counted = "dates" if name == "premium" else "observations"
    facts = {counted: f"{int(found['n_obs']):,}"} if "n_obs" in found else {}
    for key, text, form in (
        ("n_assets", "assets on a date, mean", ",.1f"),
        ("rsquared", "R2", ".4f"),
        ("rsquared_adjusted", "R2 adjusted", ".4f"),
    ):
        if key in found:
            facts[text] = _shown(float(found[key]), form)
    kind = fit.attrs.get("se", "newey_west" if name == "premium" else "ols")
    lags = f" ({fit.attrs['lags']} lags)" if fit.attrs.get("lags") else ""
    facts["errors"] = ERRORS.get(kind, str(kind)) + lags
    for dim in (panel.DATE, panel.ASSET):
        if dim in found.coords and not found[dim].dims:
            label = found[dim].values
            day = np.datetime_as_string(label, unit="D") if label.dtype.kind == "M" else label
            facts[dim] = str(day)
    facts["intervals"] = f"{100 * CONFIDENCE:.0f} %"
    return facts


def _shown(value: float, form: str) -> str:
    return f"{value:{form}}" if np.isfinite(value) else "-"


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
