"""Where the bytes of a panel lie: chunk sizes and codecs, decided without touching Zarr."""

from collections.abc import Mapping, Sequence

from xfactor import panel

# Dates in a chunk. 256 x 5,000 float64 are 10 MB: large enough that a task's overhead is small,
# small enough that several fields fit a worker; a window of a year needs one neighbour.
CHUNK_DATES = 256

# Noisy floats hardly compress, so the fastest level serves them; masks, codes and forward-filled
# values repeat the row of the day before, which zstd finds and blosc's short blocks do not.
NOISY_LEVEL = -5
STEADY_LEVEL = 1


def chunk_shape(dims: Sequence[str], shape: Sequence[int], chunk_dates: int) -> tuple[int, ...]:
    """Return the chunk of an array: `chunk_dates` dates, everything else whole.

    Parameters
    ----------
    dims, shape
        The array's.
    chunk_dates
        Dates in a chunk.

    Returns
    -------
    tuple of int
        At least 1 along each dim.
    """
    return tuple(
        max(1, min(n, chunk_dates) if d == panel.DATE else n)
        for d, n in zip(dims, shape, strict=True)
    )


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
