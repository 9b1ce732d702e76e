"""Tables of results."""

import xarray as xr

from xfactor import panel
from xfactor.report.elements import table
from xfactor.report.scales import number


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
