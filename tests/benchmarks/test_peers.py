"""The packages that xfactor is timed against give its answers."""

import importlib
import importlib.util

import numpy as np
import pytest

from tests.benchmarks.peers import __main__ as command
from tests.benchmarks.peers import in_xfactor, solving
from tests.benchmarks.peers.task import TINY, differences, disagreements


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers")
    command.prepare(folder, TINY)
    return folder, in_xfactor.lecture(folder, TINY)


@pytest.mark.parametrize("package", ["duckdb", "polars"])
def test_lecture__is_the_same(tiny, package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    folder, ours = tiny
    peer = importlib.import_module(f"tests.benchmarks.peers.in_{package}")
    found = differences(ours, peer.lecture(folder, TINY))
    assert not disagreements(found), found
    assert np.isfinite(ours["premium"]).all()
    assert ours["rolling_n"].max() > 0.5 * TINY.assets


def test_read__touches_every_chunk(tiny):
    assert len(in_xfactor.read(tiny[0], TINY)["first"]) == 4 * -(-TINY.dates // 256)


def test_differences__see_a_shape_a_hole_and_a_change():
    a = {"x": np.array([1.0, np.nan, 4.0])}
    assert differences(a, {"x": np.array([1.0, np.nan, 5.0])}) == {"x": 0.25}
    for other in ([1.0, 2.0, 4.0], [1.0, np.nan]):
        assert disagreements(differences(a, {"x": np.array(other)})) == ["x differs by inf"]


def test_coefficients__of_sums():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 2)), rng.standard_normal(50)
    full = np.column_stack([np.ones(50), x])
    products = [x[:, i] * x[:, j] for i, j in solving.pairs(2)]
    sums = np.column_stack([np.ones(50), x, *products, y, x * y[:, None]]).sum(axis=0)
    expected = np.linalg.lstsq(full, y, rcond=None)[0]
    np.testing.assert_allclose(solving.coefficients(sums[None], 2, 3)[0], expected)
    assert np.isnan(solving.coefficients(sums[None], 2, 51)).all()
