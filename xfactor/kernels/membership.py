"""Buckets through time: names that are new in them, returns on the dates around membership."""

import numpy as np

from xfactor.kernels._blocks import compilable, row_blocks
from xfactor.kernels._compile import kernel
from xfactor.kernels.evaluation import groups_from


def turnover_rows(
    labels: np.ndarray,
    before: np.ndarray,
    *codes: np.ndarray,
    values: tuple[int, ...],
    n_buckets: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Share of the cells of each bucket that were not in it `before`, and cells: (row, G, K).

    NaN for a group none of whose cells had a bucket.
    """
    shape = (len(labels), max(len(values), 1), n_buckets)
    now, new = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
    seen = np.zeros(shape[:2], dtype=np.int32)
    for rows in row_blocks(*labels.shape):
        block = compilable(labels[rows])
        by = groups_from(codes[0][rows] if codes else None, values, block.shape).codes
        _turnover(block, compilable(before[rows]), by, now[rows], new[rows], seen[rows])
    with np.errstate(invalid="ignore"):
        share = np.where(seen[:, :, None] > 0, new / np.where(now > 0, now, np.nan), np.nan)
    return share, now


@kernel
def _turnover(labels, before, codes, now, new, seen):  # type: ignore[no-untyped-def]
    n_groups = now.shape[1]
    for r in range(len(labels)):
        for j in range(labels.shape[1]):
            g = codes[r, j]
            if g < n_groups:
                b = labels[r, j]
                seen[r, g] += before[r, j] >= 0
                if b >= 0:
                    now[r, g, b] += 1
                    new[r, g, b] += before[r, j] != b


def event_rows(
    labels: np.ndarray,
    returns: np.ndarray,
    *,
    n_buckets: int,
    before: int,
    after: int,
    least: int,
    offset: int,
    start: int,
    stop: int,
) -> tuple[np.ndarray, ...]:
    """Mean return of each bucket of a date on the dates around it, how many there were; mean
    compound return from the date on, or back to it.

    `labels` (date, asset, n), `returns` the same or (date, asset); gives (date, K, event, n).
    """  # noqa: D205
    shape = (stop - start, n_buckets, before + 1 + after, labels.shape[2])
    means, paths = np.full(shape, np.nan), np.full(shape, np.nan)
    counts = np.zeros(shape, dtype=np.int32)
    for k in range(shape[3]):
        y = compilable(returns if returns.ndim == 2 else returns[:, :, k], np.float64)
        own = compilable(labels[start:stop, :, k])
        out = (means[..., k], counts[..., k], paths[..., k])
        _events(own, y, start, before, after, least, *out)
    return means, counts, paths


@kernel
def _events(labels, returns, start, before, after, least, means, counts, paths):  # type: ignore[no-untyped-def]
    n_buckets = means.shape[1]
    growth = np.empty(labels.shape[1])
    total = np.empty((2, n_buckets + 1))  # the last place is for cells of no bucket
    known = np.empty((2, n_buckets + 1), dtype=np.int64)
    for t in range(len(labels)):
        for backwards in range(2):
            growth[:] = 1.0
            for step in range(before + 1 if backwards else after + 1):
                # Event 0 is on both ways, and its return only in that of the past.
                event = -step if backwards else step
                at = start + t + event
                if at < 0 or at >= len(returns):
                    break
                total[:] = 0.0
                known[:] = 0
                for j in range(labels.shape[1]):
                    b = labels[t, j] if labels[t, j] >= 0 else n_buckets
                    v = returns[at, j]
                    if not backwards and step > 0:
                        growth[j] *= max(1.0 + v, 0.0) if v - v == 0 else np.nan
                    path = 1.0 / growth[j] - 1.0 if backwards else growth[j] - 1.0
                    if v - v == 0:
                        total[0, b] += v
                        known[0, b] += 1
                    if path - path == 0:
                        total[1, b] += path
                        known[1, b] += 1
                    if backwards:
                        growth[j] *= max(1.0 + v, 0.0) if v - v == 0 else np.nan
                for b in range(n_buckets):
                    if known[0, b] >= least:
                        means[t, b, before + event] = total[0, b] / known[0, b]
                        counts[t, b, before + event] = known[0, b]
                    if known[1, b] >= least:
                        paths[t, b, before + event] = total[1, b] / known[1, b]
