"""``xfactor ingest``: files into stores."""

import argparse
from pathlib import Path

from xfactor import ingest, panel
from xfactor.cli.options import columns_option, pair, terminal


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``xfactor ingest``."""
    words = commands.add_parser("ingest", help="turn files into a panel store")
    kinds = words.add_subparsers(required=True, metavar="WHAT")
    p = kinds.add_parser("table", help="long table of any fields -> a store")
    _new_store(p, "Parquet or CSV(.gz) files, folders, globs, URLs: date, asset, fields")
    p.add_argument("--schema", type=Path, help="TOML: columns, types, units, ranges of the fields")
    p.add_argument(
        "--duplicates", choices=["reject", "first", "last", "error"], default="reject",
        help="rows of one date and asset that contradict each other (default: reject all)",
    )  # fmt: skip
    p.add_argument("--strict", action="store_true", help="stop at the first row that is rejected")
    p.set_defaults(run=_table)
    p = kinds.add_parser("prices", help="long table of daily prices -> a store")
    _new_store(p, "Parquet or CSV(.gz) files, folders, globs, URLs: date, symbol, close ...")
    p.add_argument(
        "--symbols", metavar="FILE", help="table of which asset had which symbol: symbol, id, "
        "start, end",
    )  # fmt: skip
    p.add_argument(
        "--gap-days", type=int, metavar="DAYS",
        help="a symbol without a price for longer is another asset afterwards (400; 0: never)",
    )  # fmt: skip
    p.add_argument(
        "--ids", choices=["numbered", "given"],
        help="given: the column of the assets holds permanent whole numbers",
    )  # fmt: skip
    p.add_argument("--market", type=Path, help="prices of an index fund: market_returns")
    p.add_argument("--delisting", type=Path, help="table of delisting returns")
    p.add_argument(
        "--delisting-fill", type=float, metavar="RETURN",
        help="return of assets that end without one, e.g. -0.3",
    )  # fmt: skip
    p.add_argument("--lenient", action="store_true", help="leave bad rows out instead of stopping")
    p.set_defaults(run=_prices)
    p = kinds.add_parser("fundamentals", help="wide table of reports -> fields of a store")
    _reports(p, "Parquet or CSV(.gz) files: symbol, period end, items")
    p.set_defaults(run=_fundamentals)
    p = kinds.add_parser("records", help="long table of reported values -> fields of a store")
    _reports(p, "Parquet or CSV(.gz) files: symbol, item, period_end, known_at, value")
    p.set_defaults(run=_records)
    p = kinds.add_parser("sec", help="the SEC's financial statement data sets -> fields of a store")
    p.add_argument("source", nargs="+", type=Path, help="zip files, one a quarter")
    p.add_argument("store", type=Path, help="panel store to add to")
    p.add_argument("--securities", type=Path, help="table of symbols and CIKs", required=True)
    _fields_option(p)
    _rejects_options(p)
    p.set_defaults(run=_sec)


def _new_store(p: argparse.ArgumentParser, source: str) -> None:
    p.add_argument("source", nargs="+", help=source)
    p.add_argument("store", type=Path, help="panel store to make, or to append to")
    p.add_argument("--overwrite", action="store_true", help="replace a store that is there")
    p.add_argument("--append", action="store_true", help="later dates, onto a store that is there")
    p.add_argument("--calendar", help="exchange whose sessions are expected, e.g. XNYS")
    p.add_argument("--rejects", type=Path, help="file for the rows left out: .parquet or .csv")
    columns_option(p)


def _reports(p: argparse.ArgumentParser, source: str) -> None:
    p.add_argument("source", nargs="+", help=source)
    p.add_argument("store", type=Path, help="panel store to add to")
    p.add_argument("--securities", type=Path, help="table of symbols and sectors")
    p.add_argument("--lag-days", type=int, default=90, help="days from period end to known (90)")
    p.add_argument("--max-age-days", type=int, help="days until stale")
    p.add_argument("--received", help="day on which a file without times of publication arrived")
    _fields_option(p)
    _rejects_options(p)
    columns_option(p)


def _rejects_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--rejects", type=Path, help="file for the rows left out: .parquet or .csv")
    p.add_argument("--strict", action="store_true", help="stop at the first row that is rejected")


def _fields_option(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--field", type=pair, action="append", default=[], metavar="NAME=RULE",
        help="field to make, e.g. sales='ttm(revenue)' (may be repeated)",
    )  # fmt: skip


def add_explain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``xfactor explain``."""
    p = commands.add_parser("explain", help="which records gave a number of a store")
    p.add_argument("store", type=Path, help="panel store with fundamentals")
    p.add_argument("asset", help="symbol or asset label")
    p.add_argument("field", help="field")
    p.add_argument("date", help="date, e.g. 2014-03-31")
    p.set_defaults(run=_explain)


def _table(args: argparse.Namespace) -> None:
    print(
        ingest.ingest_table(
            _sources(args.source), args.store, schema=args.schema, columns=dict(args.columns),
            duplicates=args.duplicates, strict=args.strict, rejects=args.rejects,
            calendar=args.calendar, overwrite=args.overwrite, append=args.append,
            progress=terminal(),
        )
    )  # fmt: skip


def _prices(args: argparse.Namespace) -> None:
    print(
        ingest.ingest_prices(
            _sources(args.source), args.store, market=args.market, columns=dict(args.columns),
            delisting=args.delisting, delisting_fill=args.delisting_fill, calendar=args.calendar,
            symbols=args.symbols, gap_days=args.gap_days, ids=args.ids, append=args.append,
            strict=not args.lenient, rejects=args.rejects, overwrite=args.overwrite,
            progress=terminal(),
        )
    )  # fmt: skip


def _fundamentals(args: argparse.Namespace) -> None:
    print(
        ingest.ingest_fundamentals(
            _sources(args.source), args.store, securities=args.securities, lag_days=args.lag_days,
            max_age_days=args.max_age_days, columns=dict(args.columns), received=args.received,
            fields=dict(args.field) or None, strict=args.strict, rejects=args.rejects,
            progress=terminal(),
        )
    )  # fmt: skip


def _records(args: argparse.Namespace) -> None:
    print(
        ingest.ingest_records(
            _sources(args.source), args.store, securities=args.securities, lag_days=args.lag_days,
            max_age_days=args.max_age_days, columns=dict(args.columns), received=args.received,
            fields=dict(args.field) or None, strict=args.strict, rejects=args.rejects,
            progress=terminal(),
        )
    )  # fmt: skip


def _sec(args: argparse.Namespace) -> None:
    records = ingest.read_sec(args.source, strict=args.strict, rejects=args.rejects)
    for reason, count in records.attrs["rejected"].items():
        print(f"{panel.several(count, 'row', 'rows')} of the data sets left out: {reason}")
    print(
        ingest.ingest_records(
            records, args.store, securities=args.securities, fields=dict(args.field) or None,
            progress=terminal(),
        )
    )  # fmt: skip


def _explain(args: argparse.Namespace) -> None:
    print(ingest.explain(args.store, args.asset, args.field, args.date))


def _sources(given: list[str]) -> list[str] | str:
    return given[0] if len(given) == 1 else given
