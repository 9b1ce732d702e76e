"""Sections about the data: fields, coverage, and what was left out."""

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.plot.maps import period_means
from xfactor.report import charts
from xfactor.report.charts import Look
from xfactor.report.elements import element, table
from xfactor.report.inputs import Measures
from xfactor.report.scales import number
from xfactor.store.info import PanelInfo

REASONS = {
    "not_listed": "not listed", "masked": "outside the universe", "missing": "no value",
    "stale": "out of date", "no_return": "no return after it", "no_weight": "no weight",
    "thin": "too few names",
}  # fmt: skip


def data_section(done: Measures, info: PanelInfo) -> str:
    """Return what the store holds, what was not used, and what the report lacks.

    Parameters
    ----------
    done
        Results.
    info
        What the store holds.

    Returns
    -------
    str
        HTML.
    """
    parts = [_fields(done, info)]
    if "coverage" in done.found:
        means, starts = period_means(done.found["coverage"].coverage, 48)
        names = [str(n) for n in means[panel.FACTOR].values]
        firsts = [f"{pd.Timestamp(s):%Y-%m}" for s in starts]
        parts.append(
            charts.heat_map(
                Look("Coverage", "share of the listed assets with a value, 0 % (blank) to 100 %"),
                names, firsts, means.transpose(panel.FACTOR, ...).values,
            )
        )  # fmt: skip
    if "signals" in done.found:
        fit = done.found["signals"].isel(horizon=0)
        parts.append(_dropped("Cells of dates and assets behind the signals and their returns: "
                              "what entered, and what did not", fit))  # fmt: skip
    if done.left_out:
        notes = "".join(element("dt", k) + element("dd", f"{v}.") for k, v in done.left_out.items())
        parts.append(f"<h3>Not in this report</h3><dl>{notes}</dl>")
    return "".join(parts)


def _fields(done: Measures, info: PanelInfo) -> str:
    covered = done.found.get("coverage")
    rows = []
    for name, f in info.fields.iterrows():
        share, gone = "", ["", ""]
        if covered is not None and name in covered[panel.FACTOR].values:
            one = covered.sel({panel.FACTOR: name})
            lost = {str(r): int(v) for r, v in zip(one["reason"].values, one.n_dropped.values,
                                                   strict=True)}  # fmt: skip
            known = int(one.n_obs)
            universe = known + lost.get("missing", 0)
            share = number(known / universe if universe else np.nan, ".1%")
            gone = [f"{lost.get(r, 0):,}" for r in ("missing", "not_listed")]
        stored = f"{f['stored_bytes'] / 1e6:,.1f} MB"
        rows.append([str(name), str(f["dtype"]), str(f["dims"]), share, *gone, stored])
    heads = ["field", "type", "dims", "known", "missing cells", "not listed", "stored"]
    return table("Fields: share of the listed cells with a value", heads, rows)


def _dropped(caption: str, fit: xr.Dataset) -> str:
    reasons = [str(r) for r in fit["reason"].values]
    obs = fit.n_obs.sum("bucket") if "bucket" in fit.n_obs.dims else fit.n_obs
    rows = []
    for name in fit[panel.FACTOR].values:
        lost = fit.n_dropped.sel({panel.FACTOR: name})
        entered = int(obs.sel({panel.FACTOR: name}))
        rows.append([str(name), f"{entered:,}", *[f"{int(lost.sel(reason=r)):,}" for r in reasons]])
    return table(caption, ["", "entered", *[REASONS.get(r, r) for r in reasons]], rows)
