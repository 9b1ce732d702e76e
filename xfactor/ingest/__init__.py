"""From vendor files to panel stores."""

from xfactor.ingest.explain import Explanation, as_known, explain
from xfactor.ingest.french import french_sections, read_french
from xfactor.ingest.fundamentals import ingest_fundamentals, ingest_records
from xfactor.ingest.later import with_fundamentals
from xfactor.ingest.prices import ingest_prices
from xfactor.ingest.sec import SEC_ITEMS, Tags, read_sec
from xfactor.ingest.sessions import SessionCheck, check_sessions
from xfactor.ingest.summary import FieldCounts, Summary
from xfactor.ingest.table import ingest_table
from xfactor.ingest.wide import ingest_wide

__all__ = [
    "SEC_ITEMS",
    "Explanation",
    "FieldCounts",
    "SessionCheck",
    "Summary",
    "Tags",
    "as_known",
    "check_sessions",
    "explain",
    "french_sections",
    "ingest_fundamentals",
    "ingest_prices",
    "ingest_records",
    "ingest_table",
    "ingest_wide",
    "read_french",
    "read_sec",
    "with_fundamentals",
]
