"""Every estimator agrees with its peer to the digits that are promised."""

import pytest

from tests.benchmarks import accuracy


@pytest.mark.parametrize("name", accuracy.ROWS)
def test_estimator__agrees_with_its_peer(name):
    _, row = accuracy.ROWS[name]
    found = accuracy.worst(row, [0])
    assert found["coefficient"] <= accuracy.COEFFICIENTS
    assert found["error"] <= accuracy.ERRORS
