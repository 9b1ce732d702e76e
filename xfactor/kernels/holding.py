"""Portfolios held from date to date: what drifts, what is traded, what a date earns."""

from typing import Any

import numpy as np

from xfactor.kernels._blocks import compilable, row_blocks
from xfactor.kernels._compile import kernel

# What is told of each date and portfolio.
GROSS, TURNOVER, N_OBS, NOT_LISTED, MISSING = range(5)
N_FIGURES = 5

# Of a cohort: whether it holds something, its share of the capital, the sizes of its legs (for a
# whole share).
PRESENT, SHARE, LONG, SHORT = range(4)
N_ACCOUNT = 4

State = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def hold_rows(
    state: State | None,
    target: np.ndarray,
    returns: np.ndarray,
    trade: np.ndarray,
    *listed: np.ndarray,
    cohorts: int,
    legs: bool,
    spread: bool,
    dtypes: tuple[Any, Any],
    offset: int,
) -> tuple[tuple[np.ndarray, ...], State | None]:
    """Weights that each row begins with and what was traded for them (row, asset, n); figures.

    `target`: the weights to trade to in rows where `trade` is true. `listed`: a name that was not
    listed in the row before is not held; its weight is spread over its leg, or becomes cash.
    The arithmetic is float64; `dtypes` are those of the weights and of the returns given back.
    """
    target, returns = _portfolios(target, np.float64), _portfolios(returns, np.float64)
    trade = compilable(trade if trade.ndim == 1 else trade[:, 0], np.bool_)
    mask = _portfolios(listed[0], np.bool_) if listed else np.ones((len(trade), 1, 0), np.bool_)
    rows, n, assets = target.shape
    if state is None:
        names = np.zeros((n, cohorts, assets))
        account = np.zeros((n, cohorts, N_ACCOUNT))
        was, youngest = np.array(mask[0] if rows else mask[:0].any(axis=0)), np.zeros(1, np.int64)
    else:
        names, account, was, youngest = (a.copy() for a in state)
    held, traded = np.empty((rows, n, assets)), np.empty((rows, n, assets))
    figures = np.empty((rows, n, N_FIGURES))
    _hold(
        target, returns, trade, mask, legs, spread,
        names, account, was, youngest, held, traded, figures,
    )  # fmt: skip
    by_column = [np.moveaxis(a, 1, -1).astype(dtypes[0], copy=False) for a in (held, traded)]
    counts = figures[..., N_OBS:].astype(np.int64)
    return (
        *by_column,
        figures[..., GROSS].astype(dtypes[1]),
        figures[..., TURNOVER].astype(dtypes[1]),
        counts[..., 0],
        np.moveaxis(counts[..., 1:], 1, -1),
    ), ((names, account, was, youngest) if rows else state)


def _portfolios(x: np.ndarray, dtype: Any) -> np.ndarray:
    """(row, asset, n) or (row, asset) as (row, n, asset)."""
    return compilable(np.moveaxis(x, -1, 1) if x.ndim == 3 else x[:, None], dtype)


@kernel
def _hold(  # type: ignore[no-untyped-def]
    target, returns, trade, listed, legs, spread,
    names, account, was, youngest, held, traded, figures,
):  # fmt: skip
    rows, n, assets = target.shape
    cohorts = names.shape[1]
    known_lists = listed.shape[2] == assets and assets > 0
    for t in range(rows):
        if trade[t]:
            youngest[0] = (youngest[0] + 1) % cohorts
        for c in range(n):
            now, swap = held[t, c], traded[t, c]
            r = returns[t, c if returns.shape[1] > 1 else 0]
            there = was[c if was.shape[0] > 1 else 0]
            told = figures[t, c]
            for j in range(assets):
                swap[j] = 0.0
            for k in range(cohorts):
                for j in range(assets):
                    swap[j] -= names[c, k, j]
            if trade[t]:
                _renew(target[t, c], names[c, youngest[0]], account[c, youngest[0]])
                _share_out(names[c], account[c])
            told[NOT_LISTED] = 0.0
            if known_lists:
                told[NOT_LISTED] = _close(names[c], there, spread)
            _total(names[c], swap, now)
            told[TURNOVER] = 0.0
            for j in range(assets):
                if known_lists and not there[j]:
                    swap[j] = 0.0  # paid out and not sold
                told[TURNOVER] += 0.5 * abs(swap[j])
            _earn(now, r, told, names[c], account[c], legs)
        if known_lists:
            for i in range(was.shape[0]):
                for j in range(assets):
                    was[i, j] = listed[t, i, j]


@kernel
def _renew(target, names, account):  # type: ignore[no-untyped-def]
    """Put a cohort into the target weights, for a share of 1 of the capital."""
    for i in range(N_ACCOUNT):
        account[i] = 0.0
    for j in range(len(target)):
        w = target[j]
        known = w - w == 0.0
        w = w if known else 0.0
        names[j] = w
        account[PRESENT] = 1.0 if known else account[PRESENT]
        account[LONG] += w if w > 0.0 else 0.0
        account[SHORT] -= w if w < 0.0 else 0.0
    account[SHARE] = account[PRESENT]


@kernel
def _share_out(names, account):  # type: ignore[no-untyped-def]
    """Give the cohorts that there are equal shares of the capital."""
    present = 0.0
    for k in range(len(account)):
        present += account[k, PRESENT]
    for k in range(len(account)):
        if account[k, PRESENT] > 0.0:
            had = account[k, SHARE]
            scale = 1.0 / (present * had) if had > 0.0 else 0.0
            account[k, SHARE] = 1.0 / present
            if scale != 1.0:
                for j in range(names.shape[1]):
                    names[k, j] *= scale


@kernel
def _close(names, there, spread):  # type: ignore[no-untyped-def]
    """Take out names that are not listed; spread their weight over the cohort's leg if wanted."""
    closed = 0.0
    for j in range(len(there)):
        if not there[j]:
            holds = 0.0
            for k in range(len(names)):
                holds = 1.0 if names[k, j] != 0.0 else holds
            closed += holds
    if closed == 0.0:
        return closed
    for k in range(len(names)):
        long, short, long_gone, short_gone = 0.0, 0.0, 0.0, 0.0
        for j in range(len(there)):
            w = names[k, j]
            if there[j]:
                long += w if w > 0.0 else 0.0
                short += w if w < 0.0 else 0.0
            else:
                long_gone += w if w > 0.0 else 0.0
                short_gone += w if w < 0.0 else 0.0
                names[k, j] = 0.0
        up = 1.0 + long_gone / long if spread and long > 0.0 else 1.0
        down = 1.0 + short_gone / short if spread and short < 0.0 else 1.0
        if up != 1.0 or down != 1.0:
            for j in range(len(there)):
                names[k, j] *= up if names[k, j] > 0.0 else down
    return closed


@kernel
def _total(names, swap, now):  # type: ignore[no-untyped-def]
    for j in range(len(now)):
        now[j] = 0.0
    for k in range(len(names)):
        for j in range(len(now)):
            now[j] += names[k, j]
    for j in range(len(now)):
        swap[j] += now[j]


@kernel
def _earn(now, r, told, names, account, legs):  # type: ignore[no-untyped-def]
    """Return of the date; then the weights with which the next one begins, before it trades.

    A name without a return earns what the rest of its leg does, as in `portfolio_return_rows`.
    """
    long, short, long_known, short_known, won, lost = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    told[N_OBS], told[MISSING] = 0.0, 0.0
    for j in range(len(now)):
        w = now[j]
        known = r[j] - r[j] == 0.0
        up, down = (w if w > 0.0 else 0.0), (-w if w < 0.0 else 0.0)
        long += up
        short += down
        told[N_OBS] += 1.0 if known and w != 0.0 else 0.0
        told[MISSING] += 1.0 if not known and w != 0.0 else 0.0
        if known:
            long_known += up
            short_known += down
            won += up * r[j]
            lost += down * r[j]
    mean_long = won / long_known if long_known > 0.0 else 0.0
    mean_short = lost / short_known if short_known > 0.0 else 0.0
    gross = long * mean_long - short * mean_short
    present = 0.0
    for k in range(len(account)):
        present += account[k, PRESENT]
    nothing = present == 0.0
    silent = (long > 0.0 and long_known == 0.0) or (short > 0.0 and short_known == 0.0)
    told[GROSS] = np.nan if nothing or silent else gross
    for k in range(len(names)):
        if account[k, PRESENT] > 0.0:
            _drift(now, r, mean_long, mean_short, gross, names[k], account[k], legs)
    if nothing:
        for j in range(len(now)):
            now[j] = np.nan


@kernel
def _drift(now, r, mean_long, mean_short, gross, names, account, legs):  # type: ignore[no-untyped-def]
    """Let a cohort's weights grow with their returns, over what the account or the leg grows."""
    earned_long, earned_short = 0.0, 0.0
    for j in range(len(now)):
        step = r[j] if r[j] - r[j] == 0.0 else (mean_long if now[j] > 0.0 else mean_short)
        earned_long += names[j] * step if names[j] > 0.0 else 0.0
        earned_short -= names[j] * step if names[j] < 0.0 else 0.0
    up = down = 1.0 + gross
    if legs:
        long, short = account[LONG] * account[SHARE], account[SHORT] * account[SHARE]
        up = 1.0 + earned_long / long if long > 0.0 else 1.0
        down = 1.0 + earned_short / short if short > 0.0 else 1.0
    else:
        share = account[SHARE] + earned_long - earned_short
        account[SHARE] = share / up if up > 0.0 and share > 0.0 else 0.0
        up = down = up if account[SHARE] > 0.0 else 0.0  # ruin
    for j in range(len(now)):
        step = r[j] if r[j] - r[j] == 0.0 else (mean_long if now[j] > 0.0 else mean_short)
        level = up if names[j] > 0.0 else down
        names[j] = names[j] * (1.0 + step) / level if level > 0.0 and step > -1.0 else 0.0


def turnover_rows(w: np.ndarray, before: np.ndarray, *returns: np.ndarray, legs: bool) -> Any:
    """Half of what is traded from `before`, drifted by the returns, to `w` (row,).

    NaN where either row is.
    """
    out = np.empty(len(w), dtype=w.dtype)
    for rows in row_blocks(*w.shape):
        new, old = (np.ascontiguousarray(a[rows], np.float64) for a in (w, before))
        missing = ~(np.isfinite(new).any(axis=1) & np.isfinite(old).any(axis=1))
        new, old = (np.where(np.isfinite(a), a, 0.0) for a in (new, old))
        if returns:
            old = _drifted(old, np.ascontiguousarray(returns[0][rows], np.float64), legs)
        traded = 0.5 * np.abs(new - old).sum(axis=1)
        out[rows] = np.where(missing, np.nan, traded)
    return out


def _drifted(w: np.ndarray, r: np.ndarray, legs: bool) -> np.ndarray:
    """Weights after their returns; NaN where nothing is left, or a leg has no known return."""
    known = np.isfinite(r)
    r = np.where(known, r, 0.0)
    up, down = np.maximum(w, 0.0), np.maximum(-w, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = []
        for leg in (up, down):
            reached = np.where(known, leg, 0.0).sum(axis=1, keepdims=True)
            whole = leg.sum(axis=1, keepdims=True)
            means.append(np.where(whole > 0, (leg * r).sum(axis=1, keepdims=True) / reached, 0.0))
        r = np.where(known, r, np.where(w > 0, *means))
        if legs:
            level = np.where(w > 0, 1.0 + means[0], 1.0 + means[1])
        else:
            level = 1.0 + (w * r).sum(axis=1, keepdims=True)
        grown = w * np.maximum(1.0 + r, 0.0) / np.where(level > 0, level, np.nan)
        return np.where(w == 0.0, np.where(np.isnan(level), np.nan, 0.0), grown)


def cost_rows(amounts: np.ndarray, *rates: np.ndarray) -> np.ndarray:
    """Sum of rates times the size of what is traded (row,), or of the `amounts` themselves.

    NaN where a rate is missing for what is traded; others are not looked at.
    """
    out = np.empty(len(amounts), dtype=amounts.dtype)
    for rows in row_blocks(*amounts.shape):
        cost = np.ascontiguousarray(amounts[rows], np.float64)
        if rates:
            rate = np.ascontiguousarray(rates[0][rows], np.float64)
            rate = np.where(np.isfinite(rate), rate, np.nan)
            cost = np.where(cost != 0.0, np.abs(cost) * rate, 0.0)
        out[rows] = cost.sum(axis=1)
    return out


def newcomer_rows(members: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Share of the row's members that were none before (row,); NaN where either has none."""
    now, past = members.sum(axis=1), before.any(axis=1)
    new = (members & ~before).sum(axis=1)
    return np.where((now > 0) & past, new / np.maximum(now, 1), np.nan)


# Of a portfolio with legs of 1, less than this left by a projection is rounding.
NOTHING = {8: 1e-10, 4: 1e-4}


def neutral_rows(w: np.ndarray, left: np.ndarray) -> np.ndarray:
    """abs(w) times the residuals `left`, scaled to legs of 1; 0 where `w` is 0.

    A row that has no residuals, or only such as rounding leaves, is NaN.
    """
    out = np.empty(w.shape, dtype=w.dtype)
    for rows in row_blocks(*w.shape):
        size = np.abs(np.ascontiguousarray(w[rows], np.float64))
        new = size * np.ascontiguousarray(left[rows], np.float64)
        new[size == 0.0] = 0.0
        leg = np.abs(np.where(np.isfinite(new), new, 0.0)).sum(axis=1, keepdims=True) / 2.0
        out[rows] = new / np.where(leg > NOTHING[w.itemsize], leg, np.nan)
        out[rows][np.isnan(size)] = np.nan
    return out
