"""The texts of the errors, and checks of single options."""

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

# In rows: longer than any history, and still what kernels can count with.
LONGEST = 2**53


class PanelError(ValueError):
    """Input that cannot be used as it is: what was found, what was needed, what to do."""


def error(found: str, needed: str, remedy: str) -> PanelError:
    """Build the one error text of the package: found, needed, remedy, on one line.

    Parameters
    ----------
    found, needed, remedy
        Phrases without a final stop.

    Returns
    -------
    PanelError
        To be raised by the caller.
    """
    text = f"{found}; needed {needed}. {remedy}."
    return PanelError(" ".join(line.strip() for line in text.splitlines()))  # a repr may have many


def several(n: int, one: str, more: str) -> str:
    """Return a number and what it counts, in the singular or the plural.

    Parameters
    ----------
    n
        The number.
    one, more
        What is counted, for 1 and for any other number.

    Returns
    -------
    str
        Such as ``"1 row"`` or ``"2,000 rows"``.
    """
    return f"{n:,} {one if n == 1 else more}"


def shown(value: object) -> str:
    """Return what the caller passed as it stands in a message: on one line, and short.

    Parameters
    ----------
    value
        Anything.

    Returns
    -------
    str
        Its repr, or the name of its type where that is long.
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"a {type(value).__name__}"


def choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise unless `value` is one of the `allowed` words.

    Parameters
    ----------
    name
        The option's name, for the message.
    value
        What the caller passed.
    allowed
        The words that the option takes.
    """
    words = list(allowed)
    if not isinstance(value, str) or value not in words:  # of arrays `in` would ask each value
        listed = ", ".join(repr(w) for w in words)
        raise PanelError(f"{name}={shown(value)} is unknown; choose from {listed}.")


def flag(name: str, value: object) -> bool:
    """Return `value` as a bool, or raise unless it is True or False.

    Parameters
    ----------
    name
        The option's name, for the message.
    value
        What the caller passed.

    Returns
    -------
    bool
        `value`.
    """
    if not isinstance(value, bool | np.bool_):
        raise PanelError(f"{name}={shown(value)} was given; needed True or False.")
    return bool(value)


def number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise unless it is one number, and not NaN.

    Parameters
    ----------
    name
        The option's name, for the message.
    value
        What the caller passed.

    Returns
    -------
    float
        `value`.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:
        raise PanelError(f"{name}={shown(value)} was given; needed a number.")
    return float(value)


def positive(name: str, value: int, least: int = 1) -> int:
    """Return `value` as an int, or raise unless it is a whole number of at least `least`.

    Parameters
    ----------
    name
        The option's name, for the message.
    value
        What the caller passed.
    least
        The smallest number allowed.

    Returns
    -------
    int
        `value`.
    """
    try:
        whole = not isinstance(value, bool) and int(value) == value
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole or value < least:
        raise PanelError(
            f"{name}={shown(value)} was given; needed a whole number of at least {least}."
        )
    return int(value)


def window_options(window: int, min_obs: int | None) -> tuple[int, int]:
    """Return `window` and `min_obs`, checked.

    Parameters
    ----------
    window
        Number of dates; one longer than any history takes all dates there are.
    min_obs
        Valid dates needed; `window` if not given.

    Returns
    -------
    tuple of int
        Both.
    """
    window = positive("window", window)
    least = window if min_obs is None else positive("min_obs", min_obs)
    if least > window:
        raise error(
            f"min_obs={min_obs} was given with window={window}",
            "no more than the window has",
            "Lower it, or widen the window",
        )
    return min(window, LONGEST), min(least, LONGEST)


def names(name: str, given: Any, there: list[str]) -> list[str]:
    """Return the names that are wanted of those that there are; whether they are is not checked.

    Parameters
    ----------
    name
        The option's name, for the message.
    given
        What the caller passed: names, or None for all of them.
    there
        All of them.

    Returns
    -------
    list of str
        The names.
    """
    if given is None:
        return there
    if isinstance(given, str):  # each letter of it would count as a name
        raise error(f"{name}={given!r} was given", "a list of names", f"Use {name}=[{given!r}]")
    if not isinstance(given, Iterable):
        raise PanelError(f"{name}={shown(given)} was given; needed a list of names.")
    return list(given)


def one_array(x: object, what: str, name: str = "x") -> None:
    """Raise unless `x` is a DataArray.

    Parameters
    ----------
    x
        What the caller passed.
    what
        The public function's name, for the message.
    name
        The argument's name.
    """
    if not isinstance(x, xr.DataArray):
        found = type(x).__name__
        hint = " Use dataset.to_dataarray('factor'), or one of its variables." * (
            found == "Dataset"
        )
        raise TypeError(f"{what} takes a DataArray as {name}; found {found}.{hint}")
