"""Damaged files of records, reports and SEC zips: read row by row, or refused in one clear line.

``pytest -m proof tests/ingest/test_fuzz_records.py`` tries ten thousand of them.
"""

import io
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import xfactor as xf
from tests.ingest import files
from tests.ingest.test_fuzz import BYTES, CELLS, damaged_bytes, damaged_parquet, damaged_text
from tests.ingest.test_sec import FILINGS, NUM, NUMBERS, SUB, tsv
from xfactor.ingest import ingest_fundamentals, ingest_records, read_sec

FEW, MANY = 100, 10_000
DATES = pd.to_datetime(["2009-05-04", "2009-08-06", "2009-12-31"])
SYMBOLS = ["ONE", "TWO", "é"]
RECORDS = pd.DataFrame(
    [(s, item, end, known, float(i), q, f"{s}-{i}")
     for i, (end, known, q) in enumerate([("2008-12-31", "2009-02-20", 4),
                                          ("2009-03-31", "2009-05-04 16:30", 1),
                                          ("2009-06-30", "2009-08-05", 2)])
     for s in SYMBOLS for item in ("sales", "shares_outstanding")],
    columns=["symbol", "item", "period_end", "known_at", "value", "quarters", "filing"],
)  # fmt: skip
REPORTS = pd.DataFrame(
    [(s, end, 5.0 + i, 2.0, end.replace("-3", "-2")) for i, s in enumerate(SYMBOLS)
     for end in ("2008-12-31", "2009-03-31", "2009-06-30")],
    columns=["symbol", "period_end", "book_equity", "shares_outstanding", "note"],
)  # fmt: skip
FIELDS = {"sales": "ttm(sales)", "shares": "carried(shares_outstanding)"}
LISTING = "Symbol,CIK\nONE,0000000011\nTWO,22\n"


def damaged_zip(rng):
    """A zip of the SEC with odd cells, lines, bytes or members, or broken itself."""
    members = {"sub.txt": tsv(SUB, FILINGS), "num.txt": tsv(NUM, NUMBERS)}
    for name in members:
        lines = [line.split("\t") for line in members[name].split("\n")]
        for _ in range(rng.integers(0, 3)):
            line, kind = lines[rng.integers(len(lines))], rng.integers(4)
            if not line:  # all of its cells are gone
                continue
            at = rng.integers(len(line))
            if kind == 0:
                line.insert(at, "")
            elif kind == 1:
                del line[at]
            else:
                line[at] = CELLS[rng.integers(len(CELLS))].replace("\n", " ")
        members[name] = "\n".join(map("\t".join, lines))
    data = {n: t.encode("utf-8", "replace") for n, t in members.items()}
    if rng.random() < 0.3:
        name = ("sub.txt", "num.txt")[rng.integers(2)]
        data[name] = damaged_bytes(rng, data[name])
    if rng.random() < 0.1:
        data = {n: b"\xef\xbb\xbf" + d.replace(b"\n", b"\r\n") for n, d in data.items()}
    if rng.random() < 0.05:
        del data[("sub.txt", "num.txt")[rng.integers(2)]]
    file = io.BytesIO()
    method = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[rng.integers(2)]
    with zipfile.ZipFile(file, "w", method) as whole:
        for name, content in data.items():
            whole.writestr(name, content)
    return broken_zip(rng, file.getvalue()) if rng.random() < 0.3 else file.getvalue()


def broken_zip(rng, data):
    """Change some bytes of a zip, anywhere, or cut it."""
    if rng.random() < 0.2:
        return damaged_bytes(rng, data)
    for _ in range(rng.integers(1, 4)):
        at = rng.integers(len(data))
        data = data[:at] + BYTES[rng.integers(len(BYTES))][:1] + data[at + 1 :]
    return data


def source_of(rng, frame, folder):
    """One damaged source: a file, or a frame or Arrow table with odd cells."""
    kind = rng.integers(8)
    if kind < 6:
        damaged = damaged_parquet if kind < 2 else damaged_text
        (folder / "damaged").write_bytes(damaged(rng, frame))
        return folder / "damaged"
    odd = frame.astype(object)
    for _ in range(rng.integers(1, 5)):
        cell = (*CELLS, None, np.nan, np.inf, pd.NaT, 7, 2**70, b"\xff", [1], True,
                pd.Timestamp("2009-05-05", tz="UTC"))  # fmt: skip
        odd.iat[rng.integers(len(odd)), rng.integers(odd.shape[1])] = cell[rng.integers(len(cell))]
    if kind == 6:
        return odd
    words = {n: [None if v is None else str(v) for v in odd[n].tolist()] for n in odd}
    return pa.table({n: pa.array(v, pa.string()) for n, v in words.items()})


def attempt(rng, folder):
    """Ingest one damaged source; return the summary and, of a zip, how many rows it listed."""
    store, rejects = folder / "panel.zarr", folder / "rejects.csv"
    options = {"strict": bool(rng.random() < 0.2), "rejects": rejects}
    kind = rng.integers(4)
    if kind == 0:
        (folder / "damaged").write_bytes(damaged_zip(rng))
        records = read_sec(folder / "damaged", **options)
        check_listed(sum(records.attrs["rejected"].values()), rejects)
        return ingest_records(records, store, securities=folder / "list.csv", rejects=rejects)
    if kind == 1:
        return ingest_fundamentals(source_of(rng, REPORTS, folder), store, **options)
    fields = FIELDS if rng.random() < 0.5 else None
    return ingest_records(source_of(rng, RECORDS, folder), store, fields=fields, **options)


def check_listed(count, rejects):
    assert len(pd.read_csv(rejects, dtype=str, encoding_errors="replace")) == count


def check(seed, folder, whole):
    """Say whether the source was read; raise unless it was read or refused as it should be."""
    rng = np.random.default_rng(seed)
    store = folder / "panel.zarr"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(whole, store)
    before = files.bytes_of(store)
    summary, refused = None, ""
    try:
        summary = attempt(rng, folder)
    except xf.PanelError as error:
        refused = str(error)
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error!r}") from error
    left = {p.name for p in folder.iterdir()} - {"panel.zarr", "rejects.csv", "damaged", "list.csv"}
    assert not left, (seed, left)
    if summary is None:
        assert refused, seed
        assert "\n" not in refused, (seed, refused)
        assert files.bytes_of(store) == before, seed
        return False
    assert summary.rows_read == summary.rows_kept + sum(summary.rejected.values()), seed
    check_listed(
        sum(summary.rejected.values()) + sum(summary.cleared.values()), folder / "rejects.csv"
    )
    panel = xf.open_panel(store).load()
    assert not any(np.isinf(panel[n]).any() for n in panel if panel[n].dtype.kind == "f"), seed
    assert "\r" not in str(summary), seed
    return True


def fuzz(seeds):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = files.panel_store(folder, DATES, SYMBOLS, name="whole.zarr")
        files.text_file(folder, LISTING, "list.csv")
        inner = folder / "tries"
        inner.mkdir()
        shutil.move(folder / "list.csv", inner / "list.csv")
        return [check(seed, inner, whole) for seed in seeds]


def test_fuzz__damaged_records_are_read_or_refused_in_one_line():
    done = fuzz(range(FEW))
    assert 0.2 < np.mean(done) < 0.8  # both ends of it are tried


@pytest.mark.proof
@pytest.mark.parametrize("first", range(0, MANY, 1000))
def test_fuzz__thousands_of_damaged_records(first):
    fuzz(range(FEW + first, FEW + first + 1000))
