"""What the README says works: its Python lines on a store, its commands on the command line."""

import re
from pathlib import Path

import pytest

import xfactor as xf
from xfactor.cli.commands import parser

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_readme__its_python_runs_on_a_store(tmp_path, monkeypatch):
    panel, _ = xf.simulate_panel(dates=300, assets=80, seed=1)
    xf.write_panel(panel.isel(date=slice(299)), tmp_path / "panel.zarr")
    monkeypatch.chdir(tmp_path)
    known = int(panel["close"][5].notnull().values.argmax())
    names = {
        "today": panel.isel(date=[299], asset=slice(None, None, -1)),
        "corrections": panel[["close"]].isel(date=[5], asset=[known]) * 2,
    }
    for code in blocks("python"):
        exec(code, names)
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
    rows = re.findall(r"^\| [a-z ]+ \| (.*) \|$", README, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    functions = {name for name in xf.__all__ if name != "PanelError"}
    assert named == functions


@pytest.mark.parametrize("file", ["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_readme__its_links_lead_somewhere(file):
    assert (Path(__file__).parents[1] / file).exists()
