"""Tables of results, and the series that charts show."""

import xarray as xr

from xfactor import panel
from xfactor.report.elements import table
from xfactor.report.scales import number
from xfactor.time_series import cumulative_returns, ffill


def figures(caption: str, of: xr.Dataset, columns: dict[str, tuple[str, str]]) -> str:
    """Return a table with a row for each factor.

    Parameters
    ----------
    caption
        Of the table.
    of
        Results (factor,).
    columns
        Variable and format by heading.

    Returns
    -------
    str
        HTML.
    """
    rows = [
        [str(name), *[number(float(of[v].sel({panel.FACTOR: name})), f) for v, f in
                      columns.values()]]
        for name in of[panel.FACTOR].values
    ]  # fmt: skip
    return table(caption, ["", *columns], rows)


def grown_of(returns: xr.DataArray) -> xr.DataArray:
    """Return compound returns that a gap leaves where they were.

    Parameters
    ----------
    returns
        Decimal returns (date, factor).

    Returns
    -------
    DataArray
        In the dims of `returns`; missing before the first one.
    """
    return ffill(cumulative_returns(returns.transpose(panel.DATE, panel.FACTOR)))
