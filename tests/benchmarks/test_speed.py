"""The benchmark table runs, small; under ``--benchmark-enable`` each row is timed in full size."""

import pytest

from tests.benchmarks import speed

NAMES = [row.name for row in speed.rows(speed.panel(4, 3), window=2)]


def test_report__has_a_line_for_each_row():
    x = speed.panel(30, 20)
    results = speed.measure(speed.rows(x, window=10), repeats=1)
    text = speed.report(results, x.size)
    assert [line.split("  ")[0] for line in text.splitlines()[1:]] == NAMES


@pytest.fixture(scope="module")
def table(request):
    enabled = not request.config.getoption("--benchmark-disable") or request.config.getoption(
        "--benchmark-enable"
    )
    size, window = ((2520, 5000), 100) if enabled else ((30, 20), 10)
    return {row.name: row for row in speed.rows(speed.panel(*size), window)}


@pytest.mark.parametrize("name", NAMES)
def test_speed(benchmark, table, name):
    row = table[name]
    benchmark.extra_info["reference"] = row.reference_name
    row.run()
    benchmark.pedantic(row.run, rounds=3, iterations=1)
