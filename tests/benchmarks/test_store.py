"""The benchmark of the store runs, small."""

from tests.benchmarks import store


def test_report__has_a_line_for_each_promise():
    lines = store.report(dates=300, assets=30, fields=5, repeats=1).splitlines()
    starts = ["write", "read", "one day appended", "open_panel of 5", "fundamentals"]
    assert all(line.startswith(s) for line, s in zip(lines, starts, strict=True))
