"""Panels on disk."""

from xfactor.store.appending import append_panel
from xfactor.store.checking import check_panel_store, gc_panel_store
from xfactor.store.info import panel_info
from xfactor.store.reading import open_panel
from xfactor.store.restating import update_panel
from xfactor.store.rewriting import rechunk_panel
from xfactor.store.tables import append_table, read_table
from xfactor.store.versions import store_history
from xfactor.store.writing import add_fields, write_panel

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
    "store_history",
    "update_panel",
    "write_panel",
]
