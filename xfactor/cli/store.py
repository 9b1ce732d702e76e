"""``xfactor store``: stores written, appended to, described, checked and cleaned."""

import argparse
from pathlib import Path

import xarray as xr

from xfactor.cli.options import count, terminal
from xfactor.panel import error
from xfactor.store import (
    append_panel,
    check_panel_store,
    gc_panel_store,
    layout,
    open_panel,
    panel_info,
    rechunk_panel,
    store_history,
    write_panel,
)


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``xfactor store``."""
    group = commands.add_parser("store", help="write, append, describe, check panel stores")
    kinds = group.add_subparsers(required=True, metavar="WHAT")
    p = kinds.add_parser("write", help="a Zarr or NetCDF panel -> a new store")
    _source(p)
    p.add_argument("--overwrite", action="store_true", help="replace a store that is there")
    p.set_defaults(run=_write)
    p = kinds.add_parser("append", help="later dates of a Zarr or NetCDF panel -> a store")
    _source(p)
    p.set_defaults(run=_append)
    p = kinds.add_parser("info", help="what a store holds")
    _store(p)
    p.set_defaults(run=_info)
    p = kinds.add_parser("check", help="read all of a store and name what is damaged")
    _store(p)
    p.add_argument(
        "--accept", action="store_true", help="take metadata that another program has changed"
    )
    p.set_defaults(run=_check)
    p = kinds.add_parser("history", help="versions of an Icechunk store")
    _store(p)
    p.set_defaults(run=_history)
    p = kinds.add_parser("gc", help="remove older states of restated cells")
    _store(p)
    p.set_defaults(run=_gc)
    p = kinds.add_parser("rechunk", help="rewrite a store with other chunks or more room")
    _store(p)
    p.add_argument("--dates", type=count, help="dates in a chunk")
    p.add_argument("--room", type=count, help="assets that the chunks have room for")
    p.set_defaults(run=_rechunk)


def _source(p: argparse.ArgumentParser) -> None:
    p.add_argument("source", help="panel store, Zarr group or NetCDF file")
    _store(p)
    p.add_argument(
        "--resume", action="store_true", help="keep what is written if it fails, and go on from it"
    )


def _store(p: argparse.ArgumentParser) -> None:
    p.add_argument("store", help="folder or URL of the store")


def _write(args: argparse.Namespace) -> None:
    panel = _open(args.source)
    even = layout.store_chunk_dates(panel.chunksizes.get("date"))
    panel = panel.chunk(date=even or layout.CHUNK_DATES, asset=-1)
    write_panel(
        panel, args.store, overwrite=args.overwrite, resume=args.resume, progress=terminal()
    )
    print(panel_info(args.store))


def _append(args: argparse.Namespace) -> None:
    append_panel(_open(args.source), args.store, resume=args.resume, progress=terminal())
    print(panel_info(args.store))


def _info(args: argparse.Namespace) -> None:
    print(panel_info(args.store))


def _check(args: argparse.Namespace) -> int:
    found = check_panel_store(args.store, accept=args.accept, progress=terminal())
    print(found)
    return 0 if found.ok else 1


def _gc(args: argparse.Namespace) -> None:
    print(f"{gc_panel_store(args.store) / 1e6:,.1f} MB freed.")


def _history(args: argparse.Namespace) -> None:
    print(store_history(args.store).to_string(index=False))


def _rechunk(args: argparse.Namespace) -> None:
    rechunk_panel(args.store, chunk_dates=args.dates, capacity=args.room, progress=terminal())
    print(panel_info(args.store))


def _open(source: str) -> xr.Dataset:
    """Open a store, or whatever xarray opens as a panel."""
    if "://" in source or (Path(source) / "zarr.json").exists():
        return open_panel(source)
    try:
        return xr.open_dataset(source, chunks={})
    except (ValueError, OSError) as problem:
        raise error(
            f"{source} cannot be opened: {str(problem).splitlines()[0]}",
            "a panel store, a Zarr group or a NetCDF file",
            "Check the path",
        ) from problem
