"""What a store has published: its arrays, its attributes, and the books it keeps."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from xfactor import panel as _panel
from xfactor.store.arrays import Opener, StoredArray

FORMAT = "xfactor-panel"
FORMAT_VERSION = 2
# The node of the hierarchy that holds what is no field: the store's books, and tables of rows.
BOOKS = "xfactor"
# Attributes by which stores of the first format kept their books among the user's.
FIRST_FORMAT = ("format", "format_version", "chunk_dates")
DIGEST = "digest"


@dataclass(frozen=True)
class Snapshot:
    """One published state of a store.

    Parameters
    ----------
    address
        Where the store is, for messages.
    opener
        Where its chunks are.
    arrays
        Metadata of each array by its path.
    attrs
        The panel's attributes.
    coords
        Names of the arrays that are coordinates, besides those named like a dim.
    books
        Version, time of writing and the like; empty in stores of the first format.
    """

    address: str
    opener: Opener
    arrays: Mapping[str, dict[str, Any]]
    attrs: Mapping[str, Any]
    coords: tuple[str, ...] = ()
    books: Mapping[str, Any] = field(default_factory=dict)

    def array(self, name: str) -> StoredArray:
        """Return an array to read from."""
        return StoredArray(self.opener, name, json.dumps(self.arrays[name]))

    @property
    def variables(self) -> list[str]:
        """Names of the arrays that are variables of the panel."""
        return [name for name in self.arrays if "/" not in name]

    @property
    def version(self) -> int:
        """How many times the store has been written."""
        return int(self.books.get("version", 1))

    @property
    def format_version(self) -> int:
        """Format of the store."""
        return int(self.books.get("format_version", 1))


def new_books(what: str, version: int, **more: Any) -> dict[str, Any]:
    """Return the books of a state about to be published.

    Parameters
    ----------
    what
        The function that writes.
    version
        Number of the state.
    **more
        What a backend adds.

    Returns
    -------
    dict
        JSON.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    books = {"format": FORMAT, "format_version": FORMAT_VERSION, "version": version}
    return books | {"written": now, "by": what} | more


def group_attributes(attrs: Mapping[str, Any], coords: tuple[str, ...]) -> dict[str, Any]:
    """Return the attributes of the Zarr group; CF's `coordinates` names those xarray must know."""
    return dict(attrs) | ({"coordinates": " ".join(coords)} if coords else {})


def group_document(
    attributes: Mapping[str, Any], arrays: Mapping[str, dict[str, Any]], books: Mapping[str, Any]
) -> str:
    """Return the text of a group's ``zarr.json`` that publishes everything in one file.

    Parameters
    ----------
    attributes
        Of the group.
    arrays
        Metadata of each array by its path.
    books
        Kept as the attributes of the node `BOOKS`, with a digest of the whole.

    Returns
    -------
    str
        JSON with consolidated metadata.
    """
    nodes: dict[str, Any] = {BOOKS: _group(books)}
    for name in sorted(arrays):
        parts = name.split("/")[:-1]
        for i in range(len(parts)):
            nodes.setdefault("/".join(parts[: i + 1]), _group({}))
        nodes[name] = arrays[name]
    consolidated = {"kind": "inline", "must_understand": False, "metadata": nodes}
    document = _group(attributes) | {"consolidated_metadata": consolidated}
    nodes[BOOKS]["attributes"] = {**books, DIGEST: digest(document)}
    return json.dumps(document, indent=1, allow_nan=False)


def _group(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"attributes": dict(attributes), "zarr_format": 3, "node_type": "group"}


def digest(document: Mapping[str, Any]) -> str:
    """Return a checksum of a group's metadata, its own entry left out."""
    copy = json.loads(json.dumps(document))
    copy["consolidated_metadata"]["metadata"].get(BOOKS, {"attributes": {}})["attributes"].pop(
        DIGEST, None
    )
    text = json.dumps(copy, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_document(text: bytes, address: str, opener: Callable[[int], Opener]) -> Snapshot:
    """Return the state that a group's ``zarr.json`` publishes.

    Parameters
    ----------
    text
        The file's bytes.
    address
        Where the store is, for messages.
    opener
        Where its chunks are, given the number of the state.

    Returns
    -------
    Snapshot
        The state.

    Raises
    ------
    PanelError
        If the file is damaged, or is not that of a group with consolidated metadata.
    """
    try:
        document = json.loads(text)
    except ValueError as problem:
        raise Damaged(address, f"it is no JSON: {problem}", None) from problem
    if not isinstance(document, dict) or not document.get("consolidated_metadata"):
        raise _panel.error(
            f"{address} is a Zarr group without consolidated metadata",
            "a panel store",
            "Write it with write_panel, or run zarr.consolidate_metadata on it",
        )
    try:
        found = _parse(document, address, opener)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise Damaged(address, f"it is no panel's ({problem!r})", None) from problem
    if found.format_version > FORMAT_VERSION:
        raise _panel.error(
            f"{address} has the format {found.format_version} of a later release",
            f"at most {FORMAT_VERSION}",
            "Upgrade xfactor",
        )
    checked = found.format_version > 1 or DIGEST in found.books
    if checked and found.books.get(DIGEST) != digest(document):
        raise Damaged(address, "it does not match its own checksum", found)
    return found


def _parse(document: Mapping[str, Any], address: str, opener: Callable[[int], Opener]) -> Snapshot:
    nodes = document["consolidated_metadata"]["metadata"]
    attrs = dict(document.get("attributes", {}))
    books = dict(nodes.get(BOOKS, {}).get("attributes", {}))
    if not books and attrs.get("format") == FORMAT:
        books = {"format": FORMAT, "format_version": 1}
        attrs = {k: v for k, v in attrs.items() if k not in FIRST_FORMAT}
    arrays = {n: m for n, m in nodes.items() if m.get("node_type") == "array"}
    coords = set(str(attrs.pop("coordinates", "")).split())
    for metadata in arrays.values():
        own = metadata.setdefault("attributes", {})
        coords |= set(str(own.get("coordinates", "")).split())
    labels = tuple(sorted(coords & arrays.keys()))
    where = opener(int(books.get("version", 1)))
    return Snapshot(address, where, arrays, attrs, labels, books)


class Damaged(_panel.PanelError):
    """Metadata that cannot be trusted.

    Parameters
    ----------
    address
        The store.
    why
        What is wrong.
    snapshot
        What it says nevertheless, if it can be read.
    """

    def __init__(self, address: str, why: str, snapshot: Snapshot | None) -> None:
        self.why = why
        self.snapshot = snapshot
        super().__init__(
            f"the metadata of {address} is damaged or was changed by another program: {why}; "
            "needed the zarr.json that was published. Restore that file; or, if every change is "
            "meant: xfactor store check --accept."
        )
