"""From vendor files to panel stores."""

from xfactor.ingest.french import read_french
from xfactor.ingest.fundamentals import ingest_fundamentals
from xfactor.ingest.prices import ingest_prices
from xfactor.ingest.summary import Summary

__all__ = ["Summary", "ingest_fundamentals", "ingest_prices", "read_french"]
