"""From vendor files to panel stores."""

from xfactor.ingest.explain import Explanation, as_known, explain
from xfactor.ingest.french import french_sections, read_french
from xfactor.ingest.fundamentals import ingest_fundamentals, ingest_records
from xfactor.ingest.later import with_fundamentals
from xfactor.ingest.prices import ingest_prices
from xfactor.ingest.sec import SEC_ITEMS, Tags, read_sec
from xfactor.ingest.summary import Summary

__all__ = [
    "SEC_ITEMS",
    "Explanation",
    "Summary",
    "Tags",
    "as_known",
    "explain",
    "french_sections",
    "ingest_fundamentals",
    "ingest_prices",
    "ingest_records",
    "read_french",
    "read_sec",
    "with_fundamentals",
]
