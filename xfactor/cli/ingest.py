"""``xfactor ingest``: files into stores."""

import argparse
from pathlib import Path

from xfactor import ingest
from xfactor.cli.options import columns_option, terminal


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``xfactor ingest``."""
    words = commands.add_parser("ingest", help="turn files into a panel store")
    kinds = words.add_subparsers(required=True, metavar="WHAT")
    p = kinds.add_parser("prices", help="long table of daily prices -> a new store")
    p.add_argument("source", type=Path, help="Parquet or CSV(.gz): date, symbol, close ...")
    p.add_argument("store", type=Path, help="panel store to make")
    p.add_argument("--market", type=Path, help="prices of an index fund: market_returns")
    p.add_argument("--overwrite", action="store_true", help="replace a store that is there")
    columns_option(p)
    p.set_defaults(run=_prices)
    p = kinds.add_parser("fundamentals", help="table of reports -> fields of a store")
    p.add_argument("source", type=Path, help="Parquet or CSV(.gz): symbol, period end, items")
    p.add_argument("store", type=Path, help="panel store to add to")
    p.add_argument("--securities", type=Path, help="table of symbols and sectors")
    p.add_argument("--lag-days", type=int, default=90, help="days from period end to known (90)")
    p.add_argument("--max-age-days", type=int, default=550, help="days until stale (550)")
    columns_option(p)
    p.set_defaults(run=_fundamentals)


def _prices(args: argparse.Namespace) -> None:
    print(
        ingest.ingest_prices(
            args.source, args.store, market=args.market, columns=dict(args.columns),
            overwrite=args.overwrite, progress=terminal(),
        )
    )  # fmt: skip


def _fundamentals(args: argparse.Namespace) -> None:
    print(
        ingest.ingest_fundamentals(
            args.source, args.store, securities=args.securities, lag_days=args.lag_days,
            max_age_days=args.max_age_days, columns=dict(args.columns), progress=terminal(),
        )
    )  # fmt: skip
