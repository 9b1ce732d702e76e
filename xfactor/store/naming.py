"""The ways to name the chunks of an array, which its states take in turn."""

import json
from collections.abc import Mapping
from typing import Any

from xfactor.store.arrays import StoredArray

# Ways to name the chunk (1, 2): c/1/2, c.1.2 and 1.2. A state takes the next, so two older ones
# stay readable. An array without dims has only two names for its chunk: c and 0.
NAMINGS = (
    {"name": "default", "configuration": {"separator": "/"}},
    {"name": "default", "configuration": {"separator": "."}},
    {"name": "v2", "configuration": {"separator": "."}},
)


ENCODING = "chunk_key_encoding"


def state_naming(
    base: Mapping[str, Any] | None, metadata: Mapping[str, Any], restated: bool
) -> Mapping[str, Any]:
    """Return the naming that a new state of an array takes.

    Parameters
    ----------
    base
        Metadata of the published state, if there is one.
    metadata
        Of the new one.
    restated
        Published cells change.

    Returns
    -------
    dict
        What the array's metadata say as `ENCODING`.
    """
    if base is None:
        return NAMINGS[0]
    there = (NAMINGS[0], NAMINGS[2]) if not metadata["shape"] else NAMINGS
    naming = base[ENCODING]
    if not restated:
        return naming
    at = next((i for i, n in enumerate(there) if n == naming), 0)
    return there[(at + 1) % len(there)]


def other_marks(array: StoredArray) -> list[str]:
    """Return the marks of the namings that a published array does not have."""
    return [
        StoredArray(array.opener, array.name, json.dumps(array.metadata | {ENCODING: naming})).mark
        for naming in NAMINGS if naming != array.metadata[ENCODING]
    ]  # fmt: skip


def has_naming(key: str, array: StoredArray) -> bool:
    """Say whether a chunk is named as those of an array's state are."""
    example = array.key((0,) * array.ndim)
    lead = "c/" if "/" in example else "c" if example.startswith("c") else ""
    return (
        key.startswith(lead) and (lead == "c/") == ("/" in key) and (bool(lead) or key[0].isdigit())
    )


def renamed(base: Mapping[str, Any], array: StoredArray) -> list[tuple[str, str]]:
    """Return the chunks of a published state, as they are named and as a new state names them."""
    old = StoredArray(array.opener, array.name, json.dumps(base))
    new = array.metadata | {"shape": list(old.shape)}
    same = StoredArray(array.opener, array.name, json.dumps(new))
    return list(zip(old.keys(), same.keys(), strict=True))
