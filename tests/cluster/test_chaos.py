"""Workers are killed at random while the lecture runs, and nothing of it changes."""

import pytest

from tests.benchmarks import chaos
from tests.benchmarks.out_of_core import Size

pytest.importorskip("distributed")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of processes that died
def test_lecture__is_the_same_when_workers_are_killed(tmp_path):
    size = Size(dates=640, assets=300, chunk_dates=64, threads=2)
    done = list(chaos.runs(2, tmp_path, size=size, patience=120))
    assert [run.outcome for run in done] == ["equal bits"] * 2
    assert sum(run.kills for run in done) > 0
