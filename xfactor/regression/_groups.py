"""Sets of groups, a country and an industry for example: their codes and their labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xfactor import panel

Groups = xr.DataArray | xr.Dataset | Mapping[str, xr.DataArray]


@dataclass(frozen=True)
class GroupSet:
    """Codes of the assets, and which codes there are."""

    codes: xr.DataArray
    values: tuple[int, ...]
    labels: list[str]


def group_sets(groups: Groups | None, y: xr.DataArray, dim: str, what: str) -> list[GroupSet]:
    """Return the sets that the caller passed; several sets prefix their labels by their names."""
    if groups is None:
        return []
    if isinstance(groups, xr.DataArray):
        named = {str(groups.name or "groups"): groups}
    elif isinstance(groups, xr.Dataset):
        named = {str(k): v for k, v in groups.data_vars.items()}
    elif isinstance(groups, Mapping):
        named = {str(k): v for k, v in groups.items()}
    else:
        raise TypeError(
            f"{what} takes groups as DataArray, Dataset or mapping; found {type(groups).__name__}."
        )
    if not named:
        raise panel.error(f"{what} found no set of groups", "at least one", "Or leave groups out")
    return [_set(codes, name, y, dim, len(named) > 1) for name, codes in named.items()]


def _set(codes: Any, name: str, y: xr.DataArray, dim: str, prefixed: bool) -> GroupSet:
    panel.check_codes(y, codes, name)
    panel.check_dim(codes, dim, name)
    values = _values(codes, name)
    labels = _labels(codes, name, values)
    if prefixed:
        labels = [f"{name}:{v}" for v in labels]
    if max(values) >= 2**31:
        raise panel.error(
            f"{name} has the group code {max(values)}",
            "codes below 2^31",
            "Number the groups, e.g. with pandas.factorize",
        )
    if not panel.is_codes(codes.dtype):  # else a lag would make floats of them
        codes = codes.where((codes >= 0) & (codes < 2**31), -1).astype(np.int32)
    known = [(v, k) for v, k in zip(values, labels, strict=True) if v >= 0]
    return GroupSet(codes.rename(name), tuple(v for v, _ in known), [k for _, k in known])


def _values(codes: xr.DataArray, name: str) -> list[int]:
    if "flag_values" in codes.attrs:
        values = [int(v) for v in np.ravel(codes.attrs["flag_values"])]
        if len(set(values)) < len(values):
            raise panel.error(f"flag_values of {name} repeat a code", "each code once", "Drop one")
    elif codes.dtype == np.bool_:
        values = [0, 1]
    elif codes.chunks is not None:
        raise panel.error(
            f"{name} is lazy and does not say which codes it has",
            "the codes of the groups, to label the factors",
            f"Use {name}.assign_attrs(flag_values=range(n)), n the number of groups",
        )
    else:
        values = _present(codes.values)
    if not any(v >= 0 for v in values):
        raise panel.error(f"{name} has no group", "at least one code >= 0", "Or leave it out")
    return values


def _present(codes: np.ndarray) -> list[int]:
    """Which codes there are; counted where a count of them is small, since sorting is slow."""
    if codes.size == 0:
        return []
    least, most = int(codes.min()), int(codes.max())
    if most < 2**16:
        seen = np.zeros(max(most, 0) + 2, dtype=np.bool_)
        own = codes if least >= 0 else np.maximum(codes, -1)
        seen[own] = True  # those of no group end up last
        return [int(v) for v in np.flatnonzero(seen[:-1])]
    return [int(v) for v in np.unique(codes) if v >= 0]


def _labels(codes: xr.DataArray, name: str, values: list[int]) -> list[str]:
    meanings = codes.attrs.get("flag_meanings")
    if meanings is None or "flag_values" not in codes.attrs:
        return [str(v) for v in values]
    words = meanings.split() if isinstance(meanings, str) else [str(w) for w in meanings]
    if len(words) != len(values):
        raise panel.error(
            f"{name} has {len(values)} flag_values and {len(words)} flag_meanings",
            "one meaning for each value",
            "Join words by an underscore",
        )
    return words
