"""A simulated market, one session after the other.

Every session draws from a generator of its own, seeded by (seed, stream, session): so a value
depends neither on how the dates are cut into blocks nor on how many more dates follow.
"""

import functools
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from xfactor.kernels.rows import zscore_rows

YEAR = 252  # sessions
N_STYLES, N_SECTORS = 3, 11
MOMENTUM_SKIP, MOMENTUM_SPAN = 21, YEAR

# Streams of randomness; the first two do not know the number of assets.
_MARKET, _RATE, _ASSETS, _UNIVERSE = range(4)

# Market, then size, value and momentum. The premia of the styles are larger than in life, so that
# five years are enough to see them (t of 2 to 3).
_MEANS = np.array([0.06, -0.05, 0.06, 0.08]) / YEAR
_VOLATILITIES = np.array([0.01, 0.003, 0.003, 0.004])
_SECTOR_VOLATILITY = 0.002
_TAIL = 5  # degrees of freedom of the heavy tails
_UNIT_TAIL = np.sqrt((_TAIL - 2) / _TAIL)  # makes their variance 1

_FLOOR = -0.95
_FAILURE = -0.30
_GAP_CHANCE = 0.0025  # a session; with a mean length of 2 a half per cent of prices is missing
_GAP_LONGEST = 3
_SPLIT_CHANCE = 1e-4
_SPLITS = np.array([2.0, 3.0, 1.5])
_REVERSE_SPLIT, _PENNY = 0.1, 5.0
_FILING_LAG = (30, 90)  # days after the end of the quarter, both included
_LAGS = _FILING_LAG[1] + 1

# What a session gives: one value per asset, `exposure` one per factor and asset.
FIELDS: dict[str, Any] = {
    "close": np.float64,
    "adjusted_close": np.float64,
    "volume": np.float64,
    "returns": np.float64,
    "split": np.float64,
    "shares_outstanding": np.float64,
    "market_cap": np.float64,
    "book_equity": np.float64,
    "book_to_price": np.float64,
    "sector": np.int16,
    "listed": np.bool_,
    "specific_returns": np.float64,
    "exposure": np.float64,
}


@dataclass(frozen=True, eq=False)
class Universe:
    """What does not change in time: one value per asset, and the seed."""

    seed: int
    beta: np.ndarray
    volatility: np.ndarray
    sector: np.ndarray
    first: np.ndarray  # session of listing
    last: np.ndarray  # session of the delisting return
    failed: np.ndarray  # whether that return is a crash
    filing: np.ndarray  # which row of `_filing_table`
    turnover: np.ndarray
    price: np.ndarray  # at listing, as all that follow
    market_cap: np.ndarray
    book_to_price: np.ndarray
    negative: np.ndarray  # whether book equity is


@dataclass(eq=False)
class State:
    """What a session leaves to the next one."""

    day: int  # since 1970
    price: np.ndarray  # adjusted for splits; goes on while it is not seen
    splits: np.ndarray  # product of all splits so far
    shares: np.ndarray
    book: np.ndarray
    gap: np.ndarray  # sessions that the gap still lasts, this one included
    known: np.ndarray  # whether the price was seen
    exposure: np.ndarray  # (1 + styles, n), 0 where missing
    history: np.ndarray  # ring of the prices seen, row t % len

    def copy(self) -> Self:
        """A copy to go on from."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        copies: dict[str, Any] = {
            k: v.copy() if isinstance(v, np.ndarray) else v for k, v in values.items()
        }
        return type(self)(**copies)


def generator(seed: int, stream: int, session: int = 0) -> np.random.Generator:
    """The source of randomness of one session."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, stream, session))))


@functools.lru_cache(maxsize=2)  # every block of dates asks
def draw_universe(seed: int, n: int) -> Universe:
    """Draw what is fixed about `n` assets: each process by itself, and none is sent to another."""
    rng = generator(seed, _UNIVERSE)
    first = np.where(rng.random(n) < 0.6, 0, 1 + rng.exponential(4 * YEAR, n)).astype(np.int64)
    last = first + 20 + rng.exponential(25 * YEAR, n).astype(np.int64)
    quarter, lag = rng.integers(0, 3, n), rng.integers(_FILING_LAG[0], _FILING_LAG[1] + 1, n)
    return Universe(
        seed=seed,
        beta=rng.normal(1.0, 0.3, n),
        volatility=0.02 * np.exp(rng.normal(0.0, 0.35, n)),
        sector=np.where(rng.random(n) < 0.01, -1, rng.integers(0, N_SECTORS, n)).astype(np.int16),
        first=first,
        last=last,
        failed=rng.random(n) < 1 / 3,
        filing=quarter * _LAGS + lag,
        turnover=0.005 * np.exp(rng.normal(0.0, 0.7, n)),
        price=np.exp(rng.normal(3.4, 0.7, n)),
        market_cap=np.exp(rng.normal(20.5, 1.8, n)),
        book_to_price=np.exp(rng.normal(-0.6, 1.0, n)),
        negative=rng.random(n) < 0.03,
    )


def market_rows(
    days: np.ndarray, *, offset: int, start: int, stop: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Factor returns (date, 1 + styles, 1) and sector returns (date, sector, 1)."""
    n = stop - start
    factors, sectors = np.empty((n, 1 + N_STYLES, 1)), np.empty((n, N_SECTORS, 1))
    spread = np.sqrt(N_SECTORS / (N_SECTORS - 1))
    for k in range(n):
        rng = generator(seed, _MARKET, offset + start + k)
        shocks = np.append(rng.standard_t(_TAIL) * _UNIT_TAIL, rng.standard_normal(N_STYLES))
        factors[k, :, 0] = _MEANS + _VOLATILITIES * shocks
        drawn = rng.standard_normal(N_SECTORS)
        # Less their mean: sector returns sum to zero, so that the market factor stays the market.
        sectors[k, :, 0] = _SECTOR_VOLATILITY * spread * (drawn - drawn.mean())
    return factors, sectors


def draw_risk_free(seed: int, dates: int) -> np.ndarray:
    """Riskless returns (date,): 2 % a year, moving slowly and never below 0."""
    risk_free, rate = np.empty(dates), 0.0
    for t, shock in enumerate(generator(seed, _RATE).standard_normal(dates)):
        rate = 0.999 * rate + 0.02 * shock
        risk_free[t] = 0.02 * np.exp(rate) / YEAR
    return risk_free


def simulate_rows(
    state: State | None,
    days: np.ndarray,
    factor_returns: np.ndarray,
    sector_returns: np.ndarray,
    *,
    offset: int,
    seed: int,
    n: int,
) -> tuple[tuple[np.ndarray, ...], State]:
    """Sessions offset, offset + 1 ... as the arrays of `FIELDS`, (date, n, 1) each.

    `days` (date, 1) counts from 1970; the returns are (date, factor, 1) and (date, sector, 1).
    `exposure` is (date, factor, n, 1).
    """
    universe = draw_universe(seed, n)
    state = _start(universe, int(days[0, 0])) if state is None else state.copy()
    shapes = {"exposure": (len(days), 1 + N_STYLES, n)}
    out = {k: np.empty(shapes.get(k, (len(days), n)), dtype) for k, dtype in FIELDS.items()}
    for k in range(len(days)):
        row = {name: a[k] for name, a in out.items()}
        by_sector = np.append(sector_returns[k, :, 0], 0.0)  # the last is for code -1
        systematic = (factor_returns[k] * state.exposure).sum(axis=0) + by_sector[universe.sector]
        _session(universe, state, offset + k, int(days[k, 0]), systematic, row)
    return tuple(a[..., None] for a in out.values()), state


def _start(universe: Universe, day: int) -> State:
    """Before the first session."""
    n = len(universe.beta)
    exposure = np.zeros((1 + N_STYLES, n))
    exposure[0] = universe.beta
    sign = np.where(universe.negative, -1.0, 1.0)
    return State(
        day=day - 1,
        price=universe.price.copy(),
        splits=np.ones(n),
        shares=np.rint(universe.market_cap / universe.price),
        book=sign * universe.market_cap * universe.book_to_price,
        gap=np.zeros(n, np.int8),
        known=np.zeros(n, np.bool_),
        exposure=exposure,
        history=np.full((MOMENTUM_SPAN + 1, n), np.nan),
    )


def _session(
    u: Universe, state: State, t: int, day: int, systematic: np.ndarray, row: dict[str, np.ndarray]
) -> None:
    """Play session `t`: move the state on, write what is seen of it into `row`."""
    rng = generator(u.seed, _ASSETS, t)
    n = len(u.beta)
    alive, ends = (u.first <= t) & (t <= u.last), u.last == t
    r = np.maximum(systematic + u.volatility * _UNIT_TAIL * rng.standard_t(_TAIL, n), _FLOOR)
    r[ends & u.failed] = _FAILURE
    np.multiply(state.price, 1.0 + r, out=state.price, where=alive & (u.first < t))
    before = state.known
    state.known = alive & ~ends & ~_in_gap(u, state, t, rng.random(n))
    row["split"][:] = _split(u, state, t, alive, rng)
    _file(u, state, day, alive, rng)
    known_return = before & (state.known | ends)
    _nan_outside(known_return, r, row["returns"])
    _nan_outside(known_return, r - systematic, row["specific_returns"])
    traded = np.exp(0.5 * rng.standard_normal(n) + 5.0 * np.minimum(np.abs(r), 0.5))
    _nan_outside(state.known, np.rint(state.shares * u.turnover * traded), row["volume"])
    _nan_outside(state.known, state.price, row["adjusted_close"])
    np.divide(row["adjusted_close"], state.splits, out=row["close"])
    _nan_outside(alive, state.shares, row["shares_outstanding"])
    _nan_outside(alive, state.book, row["book_equity"])
    np.multiply(row["shares_outstanding"], row["close"], out=row["market_cap"])
    _nan_outside(state.book > 0, row["book_equity"] / row["market_cap"], row["book_to_price"])
    row["sector"][:] = np.where(alive, u.sector, -1)
    row["listed"][:] = alive
    _expose(u, state, t, alive, row)


def _nan_outside(where: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    out.fill(np.nan)
    np.copyto(out, x, where=where)


def _in_gap(u: Universe, state: State, t: int, draw: np.ndarray) -> np.ndarray:
    """Which prices are not seen. A gap neither opens a life nor touches its last two sessions."""
    free = (state.gap == 0) & (u.first < t) & (t < u.last - _GAP_LONGEST)
    state.gap -= state.gap > 0
    new = np.flatnonzero(free & (draw < _GAP_CHANCE))
    state.gap[new] = 1 + (draw[new] / _GAP_CHANCE * _GAP_LONGEST).astype(np.int8)
    return state.gap > 0


def _split(
    u: Universe, state: State, t: int, alive: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """New shares for one old share; mostly 1. A cheap share is consolidated."""
    chosen = rng.random(len(alive)) < _SPLIT_CHANCE
    ratio = np.where(alive, 1.0, np.nan)
    hits = np.flatnonzero(chosen & state.known & (u.first < t))
    if hits.size:
        cheap = state.price[hits] / state.splits[hits] < _PENNY
        ratio[hits] = np.where(cheap, _REVERSE_SPLIT, rng.choice(_SPLITS, hits.size))
        state.splits[hits] *= ratio[hits]
        state.shares[hits] = np.maximum(np.rint(state.shares[hits] * ratio[hits]), 1.0)
    return ratio


def _file(u: Universe, state: State, day: int, alive: np.ndarray, rng: np.random.Generator) -> None:
    """Publish the quarter of those whose filing day has come since the last session."""
    table = _filing_table(state.day, day)
    state.day = day
    if not table.any():
        return
    due = np.flatnonzero(table[u.filing] & alive)
    issued, earned, turn = *rng.standard_normal((2, due.size)), rng.random(due.size)
    state.shares[due] = np.maximum(np.rint(state.shares[due] * np.exp(0.003 + 0.01 * issued)), 1.0)
    book, cap = state.book[due], state.shares[due] * state.price[due] / state.splits[due]
    # Drawn to the asset's own ratio at listing, or the ratios would spread without bound.
    size = np.log(np.abs(book))
    size += 0.1 * (np.log(cap * u.book_to_price[due]) - size) + 0.08 * earned
    flips = turn < np.where(book < 0, 0.1, 0.003)  # about 3 % are negative at any time
    state.book[due] = np.exp(size) * np.where(flips, -np.sign(book), np.sign(book))


def _filing_table(previous: int, day: int) -> np.ndarray:
    """Who files after day `previous` up to `day`: bool at month of quarter * _LAGS + lag."""
    table = np.zeros((3, _LAGS), np.bool_)
    for today in range(previous + 1, day + 1):
        month = int(np.datetime64(today, "D").astype("datetime64[M]").astype(np.int64))
        for m in range(month - 3, month + 1):
            lag = today - int(np.datetime64(m, "M").astype("datetime64[D]").astype(np.int64)) + 1
            if _FILING_LAG[0] <= lag <= _FILING_LAG[1]:
                table[(m - 1) % 3, lag] = True
    return table.ravel()


def _expose(
    u: Universe, state: State, t: int, alive: np.ndarray, row: dict[str, np.ndarray]
) -> None:
    """Exposures known at `t`, as the package computes them from the fields."""
    ring = state.history
    ring[t % len(ring)] = row["adjusted_close"]
    raw = np.empty((N_STYLES, len(alive)))
    np.log(row["market_cap"], out=raw[0])
    raw[1] = row["book_to_price"]
    past, long_past = ring[(t - MOMENTUM_SKIP) % len(ring)], ring[(t - MOMENTUM_SPAN) % len(ring)]
    _nan_outside(alive, past / long_past - 1.0, raw[2])
    exposure = row["exposure"]
    _nan_outside(alive, u.beta, exposure[0])
    exposure[1:] = zscore_rows(raw, ddof=0, limits=(0.01, 0.01))
    state.exposure[1:] = np.where(np.isnan(exposure[1:]), 0.0, exposure[1:])
