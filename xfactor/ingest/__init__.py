"""From vendor files to panel stores."""

from xfactor.ingest.explain import Explanation, as_known, explain
from xfactor.ingest.french import read_french
from xfactor.ingest.fundamentals import ingest_fundamentals, ingest_records
from xfactor.ingest.prices import ingest_prices
from xfactor.ingest.summary import Summary

__all__ = [
    "Explanation",
    "Summary",
    "as_known",
    "explain",
    "ingest_fundamentals",
    "ingest_prices",
    "ingest_records",
    "read_french",
]
