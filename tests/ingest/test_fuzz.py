"""Damaged files: what can be read is read, what is left out is counted, the rest is one clear line.

``pytest -m proof tests/ingest/test_fuzz.py`` tries ten thousand of them.
"""

import gzip
import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import ingest_prices, ingest_table, ingest_wide

FEW, MANY = 300, 10_000
DATES = pd.bdate_range("2024-01-01", periods=6)
LONG = pd.DataFrame(
    [(f"{d:%Y-%m-%d}", s, 10.0 + i, i * 100, w, i % 2 == 0)
     for i, d in enumerate(DATES) for s, w in (("A", "Energy"), ("B", "Banks"), ("é", ""))],
    columns=["date", "symbol", "close", "volume", "sector", "listed"],
)  # fmt: skip
WIDE = LONG.pivot(index="date", columns="symbol", values="close").reset_index()
SCHEMA = {
    "fields": {
        "close": {"above": 0, "max": 1e6, "required": True},
        "volume": {"min": 0, "unit": "thousands", "dtype": "float32"},
        "sector": {"kind": "code"},
        "listed": {"kind": "mask"},
    }
}
CELLS = ("", "x", "1e400", "-1e400", "9" * 400, "1,5", '"1', "nan", "inf", "0x10", "1_0", "\0",
         "2024-02-30", "0001-01-01", "1/2/2024", "13/2/2024", "2024-01-02T00:00:00Z", "now",
         "9999-12-31", "20240102", "true", "None", "-0", "1e-400", "١٢", "\u202e", "A\nB", " 7 ",
         "a" * 5000)  # fmt: skip
BYTES = (b"\0", b"\xff", b",", b"\n", b"\r", b'"', b"\xef\xbb\xbf", b"\x1f\x8b", b"PAR1", b";",
         b"\t", b",,,,", b'"""', b"\r\n\r\n", b"\xc3", b"\\")  # fmt: skip
ENCODINGS = ("utf-16", "utf-32", "latin-1", "cp037", "utf-8-sig", "utf-16-le", "shift_jis")


# --- what is done to a file ---------------------------------------------------------------------


def cells(rng, text):
    """Put odd words where the cells are."""
    lines = [line.split(",") for line in text.split("\n")]
    for _ in range(rng.integers(1, 5)):
        line = lines[rng.integers(len(lines))]
        line[rng.integers(len(line))] = CELLS[rng.integers(len(CELLS))]
    return "\n".join(map(",".join, lines))


def lines(rng, text):
    """Repeat, drop, swap, cut or lengthen lines."""
    found = text.split("\n")
    i, j = rng.integers(len(found), size=2)
    kind = rng.integers(6)
    if kind == 0:
        found.insert(i, found[j])
    elif kind == 1:
        del found[i]
    elif kind == 2:
        found[i], found[j] = found[j], found[i]
    elif kind == 3:
        found[i] = found[i].rpartition(",")[0]
    elif kind == 4:
        found[i] += "," * rng.integers(1, 4)
    else:
        found.insert(i, "")
    return "\n".join(found)


def header(rng, text):
    """Double, empty, rename or drop names of the header."""
    first, _, rest = text.partition("\n")
    names = first.split(",")
    i, j = rng.integers(len(names), size=2)
    names[i] = (names[j], "", f'"{names[i]}', "ticker", "a/b", "date ", "\0")[rng.integers(7)]
    return ",".join(names) + "\n" + rest


def damaged_text(rng, frame):
    """The bytes of a CSV file, changed in one to three ways."""
    text = frame.to_csv(index=False)
    for _ in range(rng.integers(1, 4)):
        text = (cells, lines, header)[rng.integers(3)](rng, text)
    kind = rng.integers(6)
    encoding = ENCODINGS[rng.integers(len(ENCODINGS))] if kind == 0 else "utf-8"
    data = text.encode(encoding, "replace")
    if kind == 1:
        data = b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")
    if kind == 2:
        data = gzip.compress(data)
    return damaged_bytes(rng, data) if kind < 4 else data


def damaged_bytes(rng, data):
    """Cut a file, or change some of its bytes."""
    if rng.random() < 0.3:
        return data[: rng.integers(len(data) + 1)]
    for _ in range(rng.integers(0, 4)):
        at = rng.integers(len(data) + 1)
        data = data[:at] + BYTES[rng.integers(len(BYTES))] + data[at + rng.integers(4) :]
    return data


def damaged_parquet(rng, frame):
    """A Parquet file with a column of another type, or with broken bytes."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    i, n = rng.integers(table.num_columns), table.num_rows
    odd = [
        pa.nulls(n), pa.array(range(n)), pa.array([b"\xff\0"] * n), pa.array([[1]] * n),
        pa.array([{"a": 1}] * n), pa.array([True] * n), pa.array(np.full(n, np.inf)),
        pa.array(["x"] * n).dictionary_encode(), pa.array([2**63] * n, pa.uint64()),
        pa.array(np.arange(n).astype("timedelta64[s]")), pa.array([1] * n, pa.time32("s")),
        pa.array([-(2**62)] * n, pa.timestamp("us")), pa.array([0] * n, pa.timestamp("s", "UTC")),
        pa.array([10**5] * n, pa.date32()), pa.array([1] * n, pa.decimal128(20, 3)),
        pa.array(np.full(n, 1.5, np.float16)),
    ]  # fmt: skip
    if rng.random() < 0.7:
        table = table.set_column(i, table.column_names[i], odd[rng.integers(len(odd))])
    if rng.random() < 0.2:
        table = table.rename_columns([*table.column_names[:-1], table.column_names[0]])
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=int(rng.integers(1, n + 1)))
    return damaged_bytes(rng, file.getvalue()) if rng.random() < 0.5 else file.getvalue()


# --- what must hold -----------------------------------------------------------------------------


def attempt(rng, folder):
    """Ingest one damaged file in one of the ways there are; return the summary."""
    frame = WIDE if (wide := rng.random() < 0.2) else LONG
    damaged = (damaged_text, damaged_text, damaged_parquet)[rng.integers(3)](rng, frame)
    source = folder / "damaged"
    source.write_bytes(damaged)
    store, strict = folder / "panel.zarr", bool(rng.random() < 0.2)
    options = {"overwrite": True, "strict": strict, "rejects": folder / "rejects.csv"}
    if wide:
        return ingest_wide({"close": source}, store, **options)
    if rng.random() < 0.3:
        return ingest_prices(source, store, **options)
    schema = SCHEMA if rng.random() < 0.7 else None
    duplicates = ("reject", "first", "last", "error")[rng.integers(4)]
    return ingest_table(source, store, schema=schema, duplicates=duplicates, **options)


def check(seed, folder):
    """Say whether the file was read; raise unless it was read or refused as it should be."""
    rng = np.random.default_rng(seed)
    before = files.bytes_of(folder / "panel.zarr")
    summary, refused = None, ""
    try:
        summary = attempt(rng, folder)
    except xf.PanelError as error:
        refused = str(error)
    left = {p.name for p in folder.iterdir()} - {"panel.zarr", "rejects.csv", "damaged"}
    assert not left, (seed, left)
    if summary is None:
        assert refused, seed
        assert "\n" not in refused, seed
        assert files.bytes_of(folder / "panel.zarr") == before, seed
        return False
    assert summary.rows_read == summary.rows_kept + sum(summary.rejected.values()), seed
    listed = pd.read_csv(folder / "rejects.csv", dtype=str, encoding_errors="replace")
    assert len(listed) == sum(summary.rejected.values()) + sum(summary.cleared.values()), seed
    panel = xf.open_panel(folder / "panel.zarr")
    assert panel.sizes["date"] == summary.dates, seed
    assert str(summary)
    return True


def fuzz(seeds):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ingest_table(LONG, folder / "panel.zarr")
        return [check(seed, folder) for seed in seeds]


def test_fuzz__a_damaged_file_is_read_or_refused_in_one_line():
    done = fuzz(range(FEW))
    assert 0.2 < np.mean(done) < 0.8  # both ends of it are tried


@pytest.mark.proof
@pytest.mark.parametrize("first", range(0, MANY, 1000))
def test_fuzz__thousands_of_damaged_files(first):
    fuzz(range(FEW + first, FEW + first + 1000))
