"""Who is who: permanent asset numbers, the symbols they had and when, and prices by symbol."""

from xfactor.identity.lookup import Symbols, symbols
from xfactor.identity.pricing import get_pricing
from xfactor.identity.spells import spells_from_gaps, spells_from_table, write_symbols

__all__ = [
    "Symbols",
    "get_pricing",
    "spells_from_gaps",
    "spells_from_table",
    "symbols",
    "write_symbols",
]
