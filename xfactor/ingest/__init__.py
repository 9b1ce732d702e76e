"""From vendor files to panel stores."""

from xfactor.ingest.french import read_french
from xfactor.ingest.fundamentals import ingest_fundamentals
from xfactor.ingest.prices import ingest_prices
from xfactor.ingest.sessions import SessionCheck, check_sessions
from xfactor.ingest.summary import FieldCounts, Summary
from xfactor.ingest.table import ingest_table
from xfactor.ingest.wide import ingest_wide

__all__ = [
    "FieldCounts",
    "SessionCheck",
    "Summary",
    "check_sessions",
    "ingest_fundamentals",
    "ingest_prices",
    "ingest_table",
    "ingest_wide",
    "read_french",
]
