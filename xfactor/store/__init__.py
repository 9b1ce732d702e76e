"""Panels on disk."""

from xfactor.store.checking import check_panel_store, gc_panel_store
from xfactor.store.info import panel_info
from xfactor.store.reading import open_panel
from xfactor.store.tables import append_table, read_table
from xfactor.store.writing import (
    add_fields,
    append_panel,
    rechunk_panel,
    update_panel,
    write_panel,
)

__all__ = [
    "add_fields",
    "append_panel",
    "append_table",
    "check_panel_store",
    "gc_panel_store",
    "open_panel",
    "panel_info",
    "read_table",
    "rechunk_panel",
    "update_panel",
    "write_panel",
]
