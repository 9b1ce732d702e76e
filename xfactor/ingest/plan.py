"""Which column of each part is which of ours, and what the columns are that nobody named."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from xfactor import panel
from xfactor.ingest.cells import numbers
from xfactor.ingest.dates import is_text
from xfactor.ingest.intake import Plan
from xfactor.ingest.schema import Field, Schema, check_name
from xfactor.ingest.sources import Part
from xfactor.ingest.summary import listing
from xfactor.ingest.tables import ASSET, DATE, no_column, normal

# A column without a schema holds numbers if at least this share of its first cells are some.
MOSTLY = 0.5


def make_plan(
    parts: Sequence[Part],
    schema: Schema,
    *,
    optional: bool = False,
    one_of: Sequence[str] = (),
    asset: Sequence[str] = ASSET.aliases,
) -> tuple[Plan, list[str]]:
    """Find the columns of a schema in every part.

    Parameters
    ----------
    parts
        What is read.
    schema
        What it holds.
    optional
        Fields that no part has are left out; otherwise they are an error.
    one_of
        Names of fields of which at least one must be there.
    asset
        What the column of the assets may be called, beside that of the schema.

    Returns
    -------
    tuple
        The plan; notes about what was left out.

    Raises
    ------
    PanelError
        If a column is not there, or stands there twice.
    """
    notes: list[str] = []
    fields = schema.fields
    if not fields:
        fields, notes = _discover(parts, schema)
    keys = (
        Field("date", schema.date, DATE.aliases, required=True),
        Field("asset", schema.asset, tuple(asset), required=True),
    )
    names = []
    for part in parts:
        found = {f.name: find_column(f, part.header) for f in (*keys, *fields)}
        for key in keys:
            if not isinstance(found[key.name], str):
                raise _absent(part, key)
        names.append({ours: theirs for ours, theirs in found.items() if theirs is not None})
        for theirs in names[-1].values():
            check_once(part, theirs)
    there = {f.name: sum(f.name in n for n in names) for f in fields}
    absent = [f for f in fields if not there[f.name]]
    asked = [f for f in absent if f.column is not None or not optional]
    if asked:
        raise _absent(parts[0], asked[0])
    if one_of and not any(there.get(n) for n in one_of):
        words = " or ".join(repr(n) for n in one_of)
        header = parts[0].header
        raise no_column(parts[0].name, header, True, f"no column for {words}", one_of[0])
    fields = tuple(f for f in fields if there[f.name])
    for f in fields:
        if there[f.name] < len(parts):
            notes.append(f"{f.name} is in {there[f.name]:,} of {len(parts):,} files only")
    return Plan(parts, fields, names, schema.date_format), notes


def find_column(spec: Field, header: Sequence[str]) -> str | None:
    """Return the column of a field in a part.

    Parameters
    ----------
    spec
        The field.
    header
        Columns of the part.

    Returns
    -------
    str or None
        None if it is not there.
    """
    if spec.column is not None:
        return spec.column if spec.column in header else None
    words = {normal(name): name for name in reversed(header)}
    hits = [words[a] for a in (normal(spec.name), *spec.aliases) if a in words]
    return hits[0] if hits else None


def _absent(part: Part, spec: Field) -> panel.PanelError:
    what = f"no column for {spec.name!r}" if spec.column is None else f"no column {spec.column!r}"
    return no_column(part.name, part.header, True, what, spec.name)


def check_once(part: Part, name: str) -> None:
    """Raise if a column stands in a part more than once.

    Parameters
    ----------
    part
        The part.
    name
        The column.
    """
    if (n := part.header.count(name)) > 1:
        raise panel.error(f"{part.name} has {n} columns {name!r}", "one", "Rename them")


# --- columns that nobody named ------------------------------------------------------------------


def _discover(parts: Sequence[Part], schema: Schema) -> tuple[tuple[Field, ...], list[str]]:
    """Take every column of numbers, or of yes and no; name the others in a note."""
    keys = [Field("date", schema.date, DATE.aliases), Field("asset", schema.asset, ASSET.aliases)]
    found: dict[str, Field | None] = {}
    for part in parts:
        taken = {find_column(k, part.header) for k in keys}
        # Not the partitions: they say where a row lies, and are fields where a schema says so.
        new = [c for c in dict.fromkeys(part.stored) if c not in taken and c not in found]
        if new:
            found |= _guess(part, new)
    fields = [f for f in found.values() if f is not None]
    names = [f.name for f in fields]
    for f in fields:
        if names.count(f.name) > 1:
            raise panel.error(
                f"{parts[0].name} has several columns {f.column!r} but for case and blanks",
                "names that differ",
                "Name the columns to take in a schema",
            )
    if not fields:
        raise panel.error(
            f"{parts[0].name} has no column of numbers beside its date and asset; its columns are "
            f"{listing(list(parts[0].header))}",
            "one at least",
            "Name the fields in a schema",
        )
    words = [shown for shown, f in found.items() if f is None]
    notes = [f"columns of text left out: {listing(words)}; a schema can take them"] if words else []
    return tuple(fields), notes


def _guess(part: Part, columns: Sequence[str]) -> dict[str, Field | None]:
    types = part.types()
    for column in columns:
        check_once(part, column)
    sample = {} if types else _first_cells(part, columns)
    found: dict[str, Field | None] = {}
    for column in columns:
        kind = types.get(column, pa.binary())
        spec = Field(_our_name(column), column)
        if pa.types.is_boolean(kind):
            found[column] = replace(spec, kind="mask")
        elif pa.types.is_float32(kind):
            found[column] = replace(spec, dtype="float32")
        elif column in sample:
            found[column] = spec if _numeric(sample[column]) else None
        else:
            number = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
            found[column] = spec if any(is_kind(kind) for is_kind in number) else None
    return found


def _first_cells(part: Part, columns: Sequence[str]) -> Mapping[str, pa.Array]:
    for batch in part.batches(columns):
        if len(batch.rows):
            return batch.columns
    return {}


def _numeric(column: pa.Array) -> bool:
    if not is_text(column.type):
        return True
    values, bad = numbers(column, "", "")
    wrong = 0 if bad is None else int(bad.sum())
    right = int((~np.isnan(values)).sum())
    return right >= MOSTLY * (right + wrong)


def _our_name(column: str) -> str:
    name = re.sub(r"\W+", "_", normal(column)).strip("_")
    return check_name(f"the column {panel.shown(column)}", name)
