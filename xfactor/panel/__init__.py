"""What a panel is: dimension names, missing values, dtypes, and the texts of the errors.

This is the bottom of the package: it knows xarray, but no kernel, no dask and no file.
"""

from xfactor.panel.beside import (
    bare,
    check_beside,
    check_codes,
    check_mask,
    check_numbers,
    cut_differently,
    masked,
)
from xfactor.panel.errors import (
    LONGEST,
    PanelError,
    choice,
    error,
    flag,
    number,
    one_array,
    positive,
    shown,
    window_options,
)
from xfactor.panel.labels import (
    ASSET,
    DATE,
    FACTOR,
    check_dates,
    check_dim,
    check_order,
    check_panel,
    check_same_labels,
    field,
    label_order,
)
from xfactor.panel.values import (
    MISSING_CODE,
    SAME,
    as_float,
    described,
    is_codes,
    is_number,
    missing,
)

__all__ = [
    "ASSET",
    "DATE",
    "FACTOR",
    "LONGEST",
    "MISSING_CODE",
    "SAME",
    "PanelError",
    "as_float",
    "bare",
    "check_beside",
    "check_codes",
    "check_dates",
    "check_dim",
    "check_mask",
    "check_numbers",
    "check_order",
    "check_panel",
    "check_same_labels",
    "choice",
    "cut_differently",
    "described",
    "error",
    "field",
    "flag",
    "is_codes",
    "is_number",
    "label_order",
    "masked",
    "missing",
    "number",
    "one_array",
    "positive",
    "shown",
    "window_options",
]
