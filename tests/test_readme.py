"""What the README says works: its Python lines on a store, its commands on the command line."""

import re
from pathlib import Path

import pandas as pd
import pytest

import xfactor as xf
from tests.picture import PICTURE, STYLES, picture
from xfactor.cli.commands import parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [text for word, text in found if word == language]


def write_files(panel, folder):
    """What a panel's owner would have: a table of prices, and one of reports."""
    rows = panel[["symbol", "close", "split", "volume"]].to_dataframe().dropna().reset_index()
    rows.drop(columns="asset").to_csv(folder / "prices.csv", index=False)
    held = panel[["symbol", "book_equity", "shares_outstanding"]].to_dataframe().dropna()
    reports = held.reset_index().drop_duplicates(["asset", "book_equity"]).rename(
        columns={"date": "filed"}
    )  # fmt: skip
    reports = reports.assign(period_end=reports.filed - pd.Timedelta(days=45))
    reports.drop(columns="asset").to_csv(folder / "reports.csv", index=False)


def test_readme__its_python_runs_on_a_store(tmp_path, monkeypatch):
    panel, _ = xf.simulate_panel(dates=300, assets=80, seed=1)
    write_files(panel.compute(), tmp_path)
    xf.write_panel(panel.isel(date=slice(299)), tmp_path / "panel.zarr")
    monkeypatch.chdir(tmp_path)
    known = int(panel["close"][5].notnull().values.argmax())
    names = {
        "today": panel.isel(date=[299], asset=slice(None, None, -1)),
        "corrections": panel[["close"]].isel(date=[5], asset=[known]) * 2,
    }
    for code in blocks("python"):
        exec(code, names)
    assert int(names["hml"].notnull().sum()) > 200
    assert {"hml.csv", "hml.png"} <= {path.name for path in tmp_path.iterdir()}
    grown = xf.open_panel("panel.zarr")
    assert grown.sizes == panel.sizes
    assert float(grown["close"][5, known]) == 2 * float(panel["close"][5, known])
    assert list(names["fit"].factor.values) == ["intercept", "market_cap", "book_to_price"]
    assert bool(names["fit"].premium.notnull().all())
    assert names["expected"].prediction.chunks is not None
    assert bool(names["factors"].HML.notnull().any())


def test_readme__its_commands_parse():
    lines = [line for block in blocks("") for line in block.splitlines()]
    commands = [line.split("&&")[-1].split() for line in lines if "xfactor " in line]
    assert len(commands) >= 4
    for words in commands:
        assert words[0] == "xfactor"
        parser().parse_args(words[1:])


def test_readme__names_only_what_there_is():
    start = README.index("| across assets |")
    table = README[start : README.index("\n\n", start)]  # other tables have other names
    rows = re.findall(r"^\| [a-z ]+ \| (.*) \|$", table, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    functions = {name for name in xf.__all__ if name != "PanelError"}
    assert named == functions


LINKS = re.findall(r"\]\(([^)#:]+)\)", README)


@pytest.mark.parametrize("file", sorted({*LINKS, "LICENSE"}))
def test_readme__its_links_lead_somewhere(file):
    assert (ROOT / file).exists()


def test_readme__has_a_picture_that_says_what_it_shows():
    ((alt, file),) = re.findall(r"!\[([^]]+)\]\(([^)]+)\)", README)
    assert len(alt) > 100
    assert file == str(PICTURE.relative_to(ROOT))
    assert PICTURE.stat().st_size < 150_000


def test_picture__shows_estimates_beside_the_truth():
    left, right = picture(dates=400, assets=60).axes
    assert len(left.lines) == 2 + 2 * len(STYLES)  # and a line of zero for each call
    assert [t.get_text() for t in left.get_legend().get_texts()] == STYLES
    assert len(right.collections) == 3
