"""Panels on disk."""

from xfactor.store.zarr import add_fields, open_panel, write_panel

__all__ = ["add_fields", "open_panel", "write_panel"]
