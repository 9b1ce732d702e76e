"""What the columns of a table mean: names, kinds, units, ranges."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from xfactor import panel
from xfactor.ingest.formats import Csv

KINDS = ("number", "code", "mask")
DTYPES = ("float32", "float64")
IDS = ("numbered", "given")
# Word -> (multiply by, divide by): of the two one is 1, so that the result is rounded once.
UNITS = {
    "decimal": (1.0, 1.0), "percent": (1.0, 100.0), "basis points": (1.0, 1e4),
    "hundreds": (100.0, 1.0), "thousands": (1e3, 1.0), "millions": (1e6, 1.0),
    "billions": (1e9, 1.0),
}  # fmt: skip
NAME = re.compile(r"\w[\w .\-]{0,99}")
RESERVED = ("date", "asset", "symbol")
WHOLE = ("date", "asset", "csv", "fields")
DATE_KEYS, ASSET_KEYS, CSV_KEYS = ("column", "format"), ("column", "ids"), ("delimiter", "encoding")
FIELD_KEYS = ("column", "kind", "dtype", "unit", "scale", "min", "max", "above", "required",
              "units", "long_name")  # fmt: skip


@dataclass(frozen=True)
class Field:
    """A field of the panel and the column it is made of.

    Parameters
    ----------
    name
        Ours.
    column
        The file's; None to look for `name` and the `aliases`.
    kind
        "number", "code" (of words) or "mask" (yes or no).
    multiply, divide
        From the file's unit to ours.
    least, most, above
        Numbers out of this range, in our unit, are set to missing; a number that is infinite is
        out of any.
    required
        A row without it is rejected.
    """

    name: str
    column: str | None = None
    aliases: tuple[str, ...] = ()
    kind: str = "number"
    dtype: str = "float64"
    multiply: float = 1.0
    divide: float = 1.0
    least: float = -np.inf
    most: float = np.inf
    above: float = -np.inf
    required: bool = False
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stored(self) -> np.dtype:
        """Return the dtype of the values in the runs."""
        return np.dtype({"code": "int32", "mask": "int8"}.get(self.kind, self.dtype))

    def out_of_range(self) -> str:
        """Return what to call a number that is out of range."""
        if self.above > -np.inf and self.most == np.inf:
            return f"not above {self.above:g}"
        if self.least == 0.0 and self.most == np.inf:
            return "negative"
        low = self.above if self.above > -np.inf else self.least
        if low == -np.inf and self.most == np.inf:
            return "infinite"
        return f"outside {low:g} to {self.most:g}"


@dataclass(frozen=True)
class Schema:
    """What a table holds; without `fields`, every column of numbers is one."""

    fields: tuple[Field, ...] = ()
    date: str | None = None
    date_format: str | None = None
    asset: str | None = None
    ids: str = "numbered"
    csv: Csv = field(default_factory=Csv)


def read_schema(
    schema: str | os.PathLike[str] | Mapping[str, Any] | None,
    columns: Mapping[str, str] | None = None,
) -> Schema:
    """Read a schema, and put the column names of the caller over it.

    Parameters
    ----------
    schema
        TOML file, or what stands in one.
    columns
        Our name -> the file's name.

    Returns
    -------
    Schema
        Checked.

    Raises
    ------
    PanelError
        If it cannot be read, or says something that is not understood.
    """
    where = "schema" if schema is None or isinstance(schema, Mapping) else str(schema)
    given = _load(schema)
    _known(where, given, WHOLE)
    date = _table(where, "date", given.get("date"), DATE_KEYS)
    asset = _table(where, "asset", given.get("asset"), ASSET_KEYS)
    ids = asset.get("ids", "numbered")
    panel.choice(f"ids of {where}", ids, IDS)
    named = given.get("fields", {})
    if not isinstance(named, Mapping):
        raise _wrong(where, "fields", named, "a table of fields")
    found = Schema(
        tuple(_field(where, str(k), v) for k, v in named.items()),
        date.get("column"), date.get("format"), asset.get("column"), ids,
        Csv(**_table(where, "csv", given.get("csv", {}), CSV_KEYS)),
    )  # fmt: skip
    return with_columns(found, checked_columns(columns))


def with_columns(schema: Schema, columns: Mapping[str, str]) -> Schema:
    """Put names of columns over those of a schema; names it does not have become fields.

    Parameters
    ----------
    schema
        The schema.
    columns
        Our name -> the file's name.

    Returns
    -------
    Schema
        A new one.
    """
    for ours, theirs in checked_columns(columns).items():
        if ours == "date":
            schema = replace(schema, date=theirs)
        elif ours == "asset":
            schema = replace(schema, asset=theirs)
        elif ours in {f.name for f in schema.fields}:
            fields = tuple(
                replace(f, column=theirs) if f.name == ours else f for f in schema.fields
            )
            schema = replace(schema, fields=fields)
        else:
            added = Field(check_name("columns", ours), theirs)
            schema = replace(schema, fields=(*schema.fields, added))
    return schema


def checked_columns(columns: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return a mapping of our names to those of a file, or raise.

    Parameters
    ----------
    columns
        As the caller gave it.

    Returns
    -------
    Mapping
        Of text to text.
    """
    if not isinstance(columns, Mapping | None):
        raise panel.error(
            f"columns={panel.shown(columns)} was given", "a mapping of our names to the file's",
            "Use e.g. {'close': 'PRC'}",
        )  # fmt: skip
    for ours, theirs in (columns or {}).items():
        if not isinstance(theirs, str):
            raise _wrong("columns", str(ours), theirs, "the name of a column")
    return columns or {}


def _load(schema: str | os.PathLike[str] | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if schema is None or isinstance(schema, Mapping):
        return schema or {}
    try:
        path = Path(schema)
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, TypeError, ValueError) as cause:
        raise panel.error(
            f"the schema {schema} cannot be read: {' '.join(str(cause).split())[:200]}",
            "a TOML file", "Check it",
        ) from cause  # fmt: skip


def _table(where: str, key: str, value: Any, known: tuple[str, ...]) -> dict[str, Any]:
    """Return a table whose values are text; text alone is the name of the column."""
    value = {} if value is None else {known[0]: value} if isinstance(value, str) else value
    if not isinstance(value, Mapping):
        raise _wrong(where, key, value, f"text, or a table of {', '.join(known)}")
    _known(f"{where}, {key}", value, known)
    for k, v in value.items():
        if not isinstance(v, str):
            raise _wrong(where, f"{key}.{k}", v, "text")
    return dict(value)


def _field(where: str, name: str, given: Any) -> Field:
    if isinstance(given, str):
        given = {"column": given}
    if not isinstance(given, Mapping):
        raise _wrong(where, name, given, f"the name of a column, or {', '.join(FIELD_KEYS)}")
    at = f"{where}, field {name!r}"
    _known(at, given, FIELD_KEYS)
    texts = {k: given[k] for k in ("column", "kind", "dtype", "unit", "units", "long_name")
             if k in given}  # fmt: skip
    for k, v in texts.items():
        if not isinstance(v, str):
            raise _wrong(at, k, v, "text")
    kind, dtype = texts.get("kind", "number"), texts.get("dtype", "float64")
    panel.choice(f"kind of {at}", kind, KINDS)
    panel.choice(f"dtype of {at}", dtype, DTYPES)
    figures = [k for k in ("dtype", "unit", "scale", "min", "max", "above") if k in given]
    if kind != "number" and figures:
        raise _wrong(at, figures[0], given[figures[0]], f"nothing, for it is a {kind}")
    if "unit" in given and "scale" in given:
        raise _wrong(at, "scale", given["scale"], "either unit or scale")
    panel.choice(f"unit of {at}", texts.get("unit", "decimal"), UNITS)
    multiply, divide = UNITS[texts.get("unit", "decimal")]
    low = "above" if "above" in given else "min"
    if "above" in given and "min" in given:
        raise _wrong(at, "above", given["above"], "either min or above")
    limits = {k: _limit(at, k, given[k]) for k in ("min", "max", "above", "scale") if k in given}
    if limits.get(low, -np.inf) > limits.get("max", np.inf):
        raise _wrong(at, low, limits[low], "no more than max")
    return Field(
        check_name(where, name), texts.get("column"), (), kind, dtype,
        limits.get("scale", multiply), divide, limits.get("min", -np.inf),
        limits.get("max", np.inf), limits.get("above", -np.inf),
        panel.flag(f"required of {at}", given.get("required", False)),
        {k: texts[k] for k in ("units", "long_name") if k in texts},
    )  # fmt: skip


def _limit(at: str, key: str, value: Any) -> float:
    limit = panel.number(f"{key} of {at}", value)
    if key == "scale" and not 0 < abs(limit) < np.inf:
        raise _wrong(at, key, value, "a finite number other than 0")
    return limit


def check_name(where: str, name: str) -> str:
    """Return the name of a field, or raise unless a store can hold it.

    Parameters
    ----------
    where
        Who gave it.
    name
        The name.

    Returns
    -------
    str
        `name`.
    """
    if not isinstance(name, str) or name in RESERVED or not NAME.fullmatch(name):
        raise panel.error(
            f"{where} names a field {panel.shown(name)}",
            f"letters, digits, blanks, . - and _, and none of {', '.join(RESERVED)}",
            "Choose another name",
        )
    return name


def _known(where: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise panel.error(
                f"{where} has {panel.shown(key)}", f"only {', '.join(known)}", "Correct it"
            )


def _wrong(where: str, key: str, value: Any, needed: str) -> panel.PanelError:
    return panel.error(f"{where} has {key} = {panel.shown(value)}", needed, "Correct it")
