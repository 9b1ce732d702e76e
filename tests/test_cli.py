"""The command line: the main job, and one line for every bad input."""

import math
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import xfactor as xf
from xfactor import cli, runs
from xfactor.cli import commands, lecture


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A small demo: its folder and its result."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, runs.run_demo(folder, dates=500, assets=120, seed=3)


@pytest.fixture
def prices(tmp_path):
    """A small long table of prices, in no order."""
    dates = pd.bdate_range("2020-01-01", periods=4)
    frame = pd.DataFrame(
        [(d.date(), s, 10.0 + i) for i, d in enumerate(dates) for s in ("B", "A")],
        columns=["date", "symbol", "close"],
    )
    path = tmp_path / "prices.csv"
    frame.iloc[::-1].to_csv(path, index=False)
    return path


def test_demo__prints_what_the_lecture_prints_with_the_truth_beside(demo):
    _, result = demo
    for words in (
        "Approach 1", "SMB", "HML", "MOM", "Sensitivities of the portfolio", "Rolling betas",
        "Approach 2", "Fama-MacBeth", "hedged", "corr. with truth", "true mean",
    ):  # fmt: skip
        assert words in result.text


def test_demo__finds_the_true_factor_returns(demo):
    folder, result = demo
    truth = xf.open_panel(folder / "truth.zarr").factor_returns.load()
    found = result.two.factor_return
    for name in ("size", "value", "momentum"):
        both = [found.sel(factor=name), truth.sel(factor=name)]
        known = both[0].notnull().values
        assert np.corrcoef(both[0][known], both[1][known])[0, 1] > 0.75


def test_demo__writes_stores_and_pictures_that_open(demo):
    folder, result = demo
    assert all(path.exists() for path in result.files)
    assert sum(path.suffix == ".png" for path in result.files) == 8
    betas = xf.open_panel(folder / "factors.zarr").beta
    assert betas.dims == ("date", "asset", "factor")
    assert bool(betas.isel(date=-1).notnull().any())


def test_main__demo_runs_and_says_where(tmp_path, capsys):
    options = ["--dates", "380", "--assets", "60", "--min-names", "3", "--memory-limit", "2GB"]
    assert cli.main(["demo", "--out", str(tmp_path), *options]) == 0
    printed = capsys.readouterr().out
    assert str(tmp_path / "8_hedged.png") in printed
    assert re.search(r"Done in [\d.]+ s", printed)


def test_main__run_takes_a_range_and_a_portfolio(demo, tmp_path, capsys):
    folder, _ = demo
    symbols = [str(s) for s in xf.open_panel(folder / "panel.zarr").symbol.values[:2]]
    options = ["--start", "2000-02-01", "--portfolio", ",".join(symbols), "--momentum", "60-5"]
    words = ["run", str(folder / "panel.zarr"), "--out", str(tmp_path), "--window", "40"]
    assert cli.main([*words, *options, "--names", "20"]) == 0
    assert "SMB" in capsys.readouterr().out


def test_main__run_computes_only_what_is_new(demo, tmp_path, capsys):
    panel = xf.open_panel(demo[0] / "panel.zarr").isel(date=slice(120)).load()
    store = xf.write_panel(panel.isel(date=slice(110)), tmp_path / "p.zarr")
    words = ["run", str(store), "--out", str(tmp_path / "out"), "--momentum", "40-5"]
    words += ["--window", "30", "--min-names", "5"]
    assert cli.main([*words, "--resume"]) == 0  # nothing to go on with: it begins
    whole = capsys.readouterr().out
    assert whole.startswith("Approach 1")
    xf.append_panel(panel.isel(date=slice(110, None)), store)
    assert cli.main([*words, "--resume"]) == 2
    assert "the store has changed since" in capsys.readouterr().err
    assert cli.main([*words, "--only-new"]) == 0
    assert capsys.readouterr().out.startswith("Computed 10 dates, from ")
    assert cli.main([*words, "--only-new"]) == 0
    printed = capsys.readouterr().out
    day = str(panel.date.values[-1])[:10]
    assert printed.startswith(f"Nothing new: {tmp_path}/out/factors.zarr has all 120 dates of ")
    assert f"p.zarr, to {day}.\n\nDone in" in printed
    assert "Written" not in printed


def test_main__ingests_prices(prices, tmp_path, capsys):
    store = tmp_path / "panel.zarr"
    assert cli.main(["ingest", "prices", str(prices), str(store)]) == 0
    assert "8 of 8 kept" in capsys.readouterr().out
    panel = xf.open_panel(store)
    assert dict(panel.sizes) == {"date": 4, "asset": 2}


BAD = {
    "missing store": (["run", "nowhere.zarr"], "nothing is at nowhere.zarr"),
    "no panel": (["run", "{folder}"], "not a Zarr group"),
    "short history": (["run", "{demo}/panel.zarr", "--end", "2000-06-01"], "at least 354"),
    "no date": (["run", "{demo}/panel.zarr", "--start", "2050-01-01"], "has no date in"),
    "bad date": (["run", "{demo}/panel.zarr", "--start", "soon"], "'soon'"),
    "unknown symbol": (["run", "{demo}/panel.zarr", "--portfolio", "XXXXX"], "XXXXX"),
    "no such field": (["run", "{demo}/truth.zarr"], "no field 'returns'"),
    "bad fraction": (["run", "{demo}/panel.zarr", "--fraction", "0.9"], "fraction"),
    "too little memory": (["demo", "--memory-limit", "100MB"], "--memory-limit"),
    "missing file": (["ingest", "prices", "nowhere.csv", "x.zarr"], "nowhere.csv"),
    "wrong column": (
        ["ingest", "prices", "{prices}", "x.zarr", "--columns", "close=Last"],
        "Last",
    ),
    "store is there": (["ingest", "prices", "{prices}", "{demo}/panel.zarr"], "there already"),
    "folder is a file": (["demo", "--out", "{prices}"], "File exists"),
    "fundamentals into nothing": (["ingest", "fundamentals", "{prices}", "x.zarr"], "x.zarr"),
}


@pytest.mark.parametrize("case", BAD)
def test_main__bad_input_ends_in_one_line_and_status_2(
    case, demo, prices, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words, expected = BAD[case]
    places = {"demo": demo[0], "folder": tmp_path, "prices": prices}
    before = (demo[0] / "panel.zarr" / "zarr.json").read_bytes()
    assert cli.main([w.format(**places) for w in words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("xfactor: ")
    assert captured.err.count("\n") == 1
    assert expected in captured.err
    assert (demo[0] / "panel.zarr" / "zarr.json").read_bytes() == before
    assert not (tmp_path / "x.zarr").exists()


@pytest.mark.parametrize(
    "words",
    [["demo", "--dates", "none"], ["demo", "--memory-limit", "lots"],
     ["run", "x", "--momentum", "long"], ["run", "x", "--resume", "--only-new"],
     ["ingest", "prices", "a", "b", "--columns", "close"], []],
)  # fmt: skip
def test_main__unreadable_options_exit_with_2(words):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2


def test_plan__says_what_a_run_takes_and_computes_nothing(demo, tmp_path, capsys):
    words = ["run", str(demo[0] / "panel.zarr"), "--out", str(tmp_path / "out"), "--plan",
             "--memory-limit", "2GB"]  # fmt: skip
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert re.search(r"\d+ tasks for \d+ blocks of dates", said)
    assert "of 2.00 GB: fits" in said
    assert not (tmp_path / "out").exists()


def test_memory_limit__is_kept_by_threads_or_refused_with_numbers(demo, tmp_path, capsys):
    words = ["run", str(demo[0] / "panel.zarr"), "--out", str(tmp_path / "out"), "--memory-limit"]
    assert cli.main([*words, "100MB"]) == 2
    assert re.search(r"limit is 0\.10 GB; needed about 0\.\d\d GB", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_demo__takes_smaller_chunks_as_the_limit_shrinks():
    def chosen(limit):
        words = ["demo", "--dates", "600", "--assets", "4000"]
        args = commands.parser().parse_args([*words, *limit])
        return math.prod(lecture._chunks_and_threads(args, None))

    sizes = [chosen(x) for x in ([], ["--memory-limit", "2GB"], ["--memory-limit", "700MB"])]
    assert sizes[0] >= sizes[1] > sizes[2]


def test_program__is_installed_and_tells_its_version():
    run = subprocess.run(
        [sys.executable, "-m", "xfactor.cli", "--version"], capture_output=True, text=True
    )
    assert run.returncode == 0
    assert xf.__version__ in run.stdout
