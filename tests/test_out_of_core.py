"""The lecture on a panel larger than the memory it may use, small enough for every test run."""

from dataclasses import replace

import pytest

from tests.benchmarks import out_of_core

# The libraries and compiled kernels take some 500 MB of it, whatever the panel.
LIMIT = 1_000_000_000
SIZE = out_of_core.fits(gigabytes=1.3, assets=4000, chunk_dates=32, threads=2)
# Read by both approaches; a field more would be read for nothing.
NEEDED = {"returns", "market_cap", "book_to_price", "adjusted_close", "market_returns"}


@pytest.mark.slow
def test_lecture__reads_each_chunk_once_within_the_memory_limit(tmp_path):
    steps = ("simulate", "asset_betas", "two_pass", "together")
    measured = {}
    for step in steps:
        # With a second thread the simulation may run ahead of a disk that is slow to write.
        size = replace(SIZE, threads=1) if step == "simulate" else SIZE
        measured[step] = out_of_core.run_step(step, tmp_path, size, LIMIT)
    for step in measured.values():
        assert not step.failed, step.outcome
        assert 0 < step.peak_bytes <= LIMIT
        assert not out_of_core.uneven(step)
    assert measured["simulate"].written_bytes > LIMIT
    # Rolling betas of every asset stream to a store; those of the whole history read returns twice.
    assert measured["asset_betas"].written_bytes > LIMIT / 2
    assert measured["two_pass"].reads["returns"] == measured["two_pass"].most_reads == 2
    assert measured["together"].reads == dict.fromkeys(NEEDED, 1.0)
    assert measured["together"].most_reads == 1


@pytest.mark.slow
def test_measure__notices_a_limit_that_is_too_small(tmp_path):
    size = out_of_core.Size(dates=512, assets=4000, chunk_dates=512, threads=1)
    assert out_of_core.run_step("simulate", tmp_path, size, LIMIT // 2).failed


@pytest.mark.slow
def test_fits__makes_the_panel_as_large_as_asked():
    assert SIZE.dates % SIZE.chunk_dates == 0
    assert 1.3 <= SIZE.dates * SIZE.assets * 75 / 1e9 < 1.4
