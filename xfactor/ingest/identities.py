"""How the assets of a table of prices are told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from xfactor import panel
from xfactor.ingest.owners import Owners
from xfactor.ingest.past import Past
from xfactor.ingest.sources import Source
from xfactor.ingest.spells import read_spells

NUMBERED, GIVEN, TABLE = "numbered", "given", "table"
GAP_DAYS = 400


@dataclass(frozen=True)
class Identities:
    """The rule by which rows find their assets; a store keeps it in its attrs.

    Parameters
    ----------
    rule
        "numbered": by symbol, cut at gaps; "given": by labels; "table": by symbol and a table.
    gap_days
        Of "numbered"; 0 for never.
    owners
        Of "table".
    """

    rule: str = NUMBERED
    gap_days: int = 0
    owners: Owners | None = None

    @property
    def whole(self) -> bool:
        """Say whether labels are given, as whole numbers."""
        return self.rule != NUMBERED

    @property
    def spelled(self) -> bool:
        """Say whether rows may say which symbol their asset has."""
        return self.rule == GIVEN

    def attrs(self) -> dict[str, Any]:
        """Return what the store keeps, for what is appended to it."""
        gap = {"gap_days": self.gap_days} if self.rule == NUMBERED else {}
        return {"ids": self.rule, **gap}


def identities(
    past: Past, ids: str | None, symbols: Source | Sequence[Source] | None, gap_days: int | None
) -> Identities:
    """Decide how assets are told apart.

    Parameters
    ----------
    past
        The store that rows go onto.
    ids, symbols, gap_days
        Of the caller; see `ingest_prices`.

    Returns
    -------
    Identities
        The store's rule, or that of the caller.

    Raises
    ------
    PanelError
        If the options exclude each other, or the store has another rule.
    """
    if ids is not None:
        panel.choice("ids", ids, (NUMBERED, GIVEN))
    if gap_days is not None:
        panel.positive("gap_days", gap_days, 0)
    if symbols is not None and (ids == GIVEN or gap_days is not None):
        other = "ids='given'" if ids == GIVEN else f"gap_days={gap_days}"
        raise panel.error(f"symbols and {other} were given", "one of them", "Choose")
    if ids == GIVEN and gap_days is not None:
        raise panel.error(f"ids='given' and gap_days={gap_days} were given", "one of them",
                          "Choose")  # fmt: skip
    asked = GIVEN if ids == GIVEN else TABLE if symbols is not None else None
    if past.stored is None:
        rule, gap = asked or NUMBERED, GAP_DAYS if gap_days is None else gap_days
    else:
        rule, gap = _stored(past, asked if ids is None else asked or NUMBERED, gap_days)
    if rule != TABLE:
        return Identities(rule, gap if rule == NUMBERED else 0)
    spells = past.history if symbols is None else read_spells(symbols)
    if spells is None:
        raise panel.error("the store has no history of symbols", "symbols=", "Give the table")
    _check_numbers(spells, past)
    return Identities(rule, 0, Owners(spells))


def _stored(past: Past, asked: str | None, gap_days: int | None) -> tuple[str, int]:
    """Return the rule of a store; raise if another is asked for."""
    assert past.stored is not None
    attrs = past.stored.attrs
    rule = str(attrs.get("ids", GIVEN if past.symbols is None else NUMBERED))
    gap = int(attrs.get("gap_days", GAP_DAYS))
    if asked is not None and asked != rule:
        named = {NUMBERED: "ids='numbered'", GIVEN: "ids='given'", TABLE: "symbols="}
        raise panel.error(
            f"{named[asked]} was given, and the store was made with {named[rule]}",
            "the rule of the store", "Leave it out",
        )  # fmt: skip
    if gap_days is not None and (rule != NUMBERED or gap_days != gap):
        raise panel.error(
            f"gap_days={gap_days} was given, and the store was made with "
            + (f"gap_days={gap}" if rule == NUMBERED else f"ids={rule!r}"),
            "the rule of the store", "Leave it out",
        )  # fmt: skip
    return rule, gap


def _check_numbers(spells: pd.DataFrame, past: Past) -> None:
    """Raise if a table numbers its assets in another way than the one that made the store."""
    if past.history is None:
        return
    both = spells.merge(past.history, on=["symbol", "start"], suffixes=("", "_stored"))
    other = both[both["asset"] != both["asset_stored"]]
    if len(other):
        first = other.iloc[0]
        raise panel.error(
            f"{first['symbol']!r} from {first['start']:%Y-%m-%d} is asset {first['asset']} in "
            f"symbols=, and asset {first['asset_stored']} in the store",
            "the same assets", "Use whole numbers as ids, which stay",
        )  # fmt: skip
