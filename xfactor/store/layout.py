"""Where the bytes of a panel lie: chunks, spare room, codecs and blocks, planned in integers.

Nothing here knows Zarr: the plans are made, and tested, without a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from xfactor import panel

# Dates in a chunk. 256 x 5,000 float64 are 10 MB: large enough that a task's overhead is small,
# small enough that several fields fit a worker; a window of a year needs one neighbour.
CHUNK_DATES = 256
LARGEST_CHUNK = 40_000_000
# Labels of dates lie in few chunks, so that opening a store is quick.
LABELS = 4096

# Room for new listings, which then change metadata only: a chunk is wider than its array.
SPARE_SHARE = 16
LEAST_SPARE = 32
WIDTH_STEP = 64

# Noisy floats hardly compress, so the fastest level serves them; masks, codes and forward-filled
# values repeat the row of the day before, which zstd finds and blosc's short blocks do not.
NOISY_LEVEL = -5
STEADY_LEVEL = 1


@dataclass(frozen=True)
class Block:
    """One stored chunk along date, and what is to be written into it.

    Parameters
    ----------
    chunk
        Index of the chunk.
    kept
        Rows that the chunk holds already and that stay, counted from its start.
    rows
        Rows of the chunk that new values go to.
    size
        Rows of the chunk that belong to the array afterwards.
    """

    chunk: int
    kept: int
    rows: tuple[int, ...] | range
    size: int


def appended_blocks(old: int, new: int, chunk: int) -> list[Block]:
    """Plan the chunks that new rows go to.

    Parameters
    ----------
    old, new
        Rows before and after; at least one row is new.
    chunk
        Rows in a chunk.

    Returns
    -------
    list of Block
        In order; the first may hold old rows.
    """
    blocks = []
    for k in range(old // chunk, -(-new // chunk)):
        start = k * chunk
        kept = max(0, min(old - start, chunk))
        size = min(new - start, chunk)
        blocks.append(Block(k, kept, range(kept, size), size))
    return blocks


def restated_blocks(positions: Sequence[int], length: int, chunk: int) -> list[Block]:
    """Plan the chunks in which given rows get new values.

    Parameters
    ----------
    positions
        Rows of the array, increasing.
    length
        Rows of the array.
    chunk
        Rows in a chunk.

    Returns
    -------
    list of Block
        In order.
    """
    at = np.asarray(positions, np.int64)
    blocks = []
    for k in np.unique(at // chunk).tolist():
        size = min(length - k * chunk, chunk)
        rows = at[at // chunk == k] - k * chunk
        blocks.append(Block(k, size, tuple(rows.tolist()), size))
    return blocks


def joined_blocks(restated: Sequence[Block], appended: Sequence[Block]) -> list[Block]:
    """Put plans for old rows and for new ones together: they may share the last chunk of old rows.

    Parameters
    ----------
    restated, appended
        As of `restated_blocks` and `appended_blocks`, for the same rows before.

    Returns
    -------
    list of Block
        In order.
    """
    if not restated or not appended or restated[-1].chunk != appended[0].chunk:
        return [*restated, *appended]
    old, new = restated[-1], appended[0]
    both = Block(new.chunk, new.kept, (*old.rows, *new.rows), new.size)
    return [*restated[:-1], both, *appended[1:]]


def block_lengths(blocks: Sequence[Block]) -> tuple[int, ...]:
    """Return the number of new rows of each block: the chunks in which they are to come."""
    return tuple(len(b.rows) for b in blocks)


def block_starts(blocks: Sequence[Block]) -> list[int]:
    """Return where the new rows of each block start among all new rows."""
    return [0, *accumulate(block_lengths(blocks))][:-1]


def chunk_dates(n_assets: int, itemsize: int = 8) -> int:
    """Return the dates of a chunk: 256, or fewer where that would be too large for a task.

    Parameters
    ----------
    n_assets
        Assets of the panel.
    itemsize
        Bytes of a value.

    Returns
    -------
    int
        A power of two.
    """
    dates = CHUNK_DATES
    while dates > 1 and dates * n_assets * itemsize > LARGEST_CHUNK:
        dates //= 2
    return dates


def capacity(n_assets: int) -> int:
    """Return the width of a chunk: the assets, and room for those to be listed later.

    Parameters
    ----------
    n_assets
        Assets there are.

    Returns
    -------
    int
        About a sixteenth more, at least 32, rounded up to 64.
    """
    wanted = n_assets + max(LEAST_SPARE, n_assets // SPARE_SHARE)
    return -(-wanted // WIDTH_STEP) * WIDTH_STEP


def chunk_shape(
    dims: Sequence[str], shape: Sequence[int], dates: int, assets: int
) -> tuple[int, ...]:
    """Return the chunk of an array: so many dates, room for so many assets, all else whole.

    Parameters
    ----------
    dims, shape
        The array's.
    dates
        Dates in a chunk.
    assets
        Room for assets.

    Returns
    -------
    tuple of int
        At least 1 along each dim.
    """
    sizes = {panel.DATE: dates, panel.ASSET: assets}
    return tuple(max(1, sizes.get(d, n)) for d, n in zip(dims, shape, strict=True))


def zstd_level(kind: str, attrs: Mapping[str, object]) -> int:
    """Return the zstd level for a field.

    Parameters
    ----------
    kind
        NumPy's dtype kind: "f", "i", "b" ...
    attrs
        The field's attributes; ``fill="forward"`` marks one that repeats until it changes.

    Returns
    -------
    int
        zstd compression level.
    """
    return NOISY_LEVEL if kind == "f" and attrs.get("fill") != "forward" else STEADY_LEVEL


def store_chunk_dates(date_chunks: Sequence[int] | None) -> int | None:
    """Return the dates a stored chunk gets, given the chunks of the data to write.

    Parameters
    ----------
    date_chunks
        Lengths of the lazy chunks along date; None for data in memory.

    Returns
    -------
    int or None
        The common length of the chunks; None if they cannot be written side by side, because
        one other than the last differs from the first or the last is longer.
    """
    if not date_chunks:
        return CHUNK_DATES
    first, last = date_chunks[0], date_chunks[-1]
    if any(c != first for c in date_chunks[:-1]) or last > first:
        return None
    return first
