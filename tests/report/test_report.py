"""The report: its numbers, what it leaves out, how it is written, and the command."""

import re
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import xfactor as xf
from tests.report.page import SHORT, Page, value
from xfactor import cli, lecture
from xfactor.report import inputs, measures, write_report
from xfactor.report import page as page_module
from xfactor.report.inputs import periods_per_year


def test_report__shows_the_numbers_of_a_naive_calculation(made, universe):
    _, _, page = made
    panel = universe[0]
    got = page.table("The whole history")
    assert list(got.index) == ["market", "SMB", "HML", "MOM", "volume"]
    cap = panel.market_cap.to_pandas()
    returns = panel.returns.to_pandas()
    smb = pd.Series(np.nan, cap.index)
    for t in range(1, len(cap)):
        known = cap.iloc[t - 1].dropna().sort_values(kind="stable")
        n = int(0.2 * len(known) + 1e-9)
        small, big = (returns.iloc[t][k].mean() for k in (known.index[:n], known.index[-n:]))
        smb.iloc[t] = small - big
    smb = smb.dropna()
    wealth = (1 + smb).cumprod()
    peak = np.maximum(wealth.cummax(), 1.0)
    want = {
        "mean a year": 252 * smb.mean(), "volatility": np.sqrt(252) * smb.std(),
        "cumulative": wealth.iloc[-1] - 1, "worst drawdown": (wealth / peak - 1).min(),
        "above 0": (smb > 0).mean(), "dates": len(smb),
    }  # fmt: skip
    for name, number in want.items():
        shown = got.loc["SMB", name]
        digits = len(shown.split(".")[1].split()[0]) if "." in shown else 0
        unit = 0.01 if "%" in shown else 1.0
        assert value(shown) == pytest.approx(number, abs=0.51 * unit * 10.0**-digits), name


def test_report__agrees_with_the_lecture(made, universe):
    _, _, page = made
    panel = universe[0]
    x = lecture.characteristics(panel, lookback=40, skip=5).assign(volume=panel.volume)
    two = lecture.approach_two(panel, x)
    shown = page.table("Premia")
    for name in two.factor.values:
        want = float(two.premium.sel(factor=name))
        assert value(shown.loc[name, "mean a date"]) == pytest.approx(want, abs=0.51e-6)
        t = float(two.premium_tvalue.sel(factor=name))
        assert value(shown.loc[name, "t"]) == pytest.approx(t, abs=0.0051)


def test_report__counts_every_cell_once(made, universe):
    _, _, page = made
    panel = universe[0]
    for begin in ("Cells of dates and assets",):
        rows = page.table(begin).map(value)
        assert (rows.sum(axis=1) == panel.sizes["date"] * panel.sizes["asset"]).all()
    fields = page.table("Fields")
    known = int((panel.book_to_price.notnull() & panel.listed).sum())
    listed = int(panel.listed.sum())
    assert value(fields.loc["book_to_price", "known"]) == pytest.approx(known / listed, abs=6e-4)
    assert value(fields.loc["book_to_price", "missing cells"]) == listed - known


def test_signals__in_pieces_are_those_of_the_whole(made, monkeypatch):
    fields = xf.open_panel(made[0])
    options = inputs.Options(None, [], 0.2, None, 3, 40, (40, 5), (1, 5), 5, 252.0, False)
    done = inputs.Measures()
    given = inputs.inputs_of(fields, options, done)
    monkeypatch.setattr(measures, "PIECE", 1)
    assert len(measures._spans(given.returns)) == 5
    measures._signals(given, options, done)
    got = done.found["signals"]
    after = {h: xf.forward_returns(given.returns, h) for h in (1, 5)}
    (want,) = xf.compute(xf.evaluate_signals(given.traits, after, bins=5, listed=given.listed))
    for name in ("ic_mean", "ic_tvalue", "ic_ir", "mean", "stderr", "spread_mean", "spread_tvalue"):
        assert_allclose(got[name], want[name].transpose(*got[name].dims))
    assert_allclose(got.ic, want.ic.sel(horizon=1).transpose(*got.ic.dims))
    for name in ("n_obs", "n_dropped"):
        assert_array_equal(got[name], want[name].sum("date").transpose(*got[name].dims))


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are in kilobytes on Linux")
def test_command__stays_below_the_memory_limit_on_a_store_that_is_larger(tmp_path):
    limit = 1_000_000_000
    panel, _ = xf.simulate_panel(dates=2800, assets=5000, seed=1, chunk_dates=32)
    store = xf.write_panel(panel, tmp_path / "panel.zarr")
    assert xf.panel_info(store).fields["bytes"].sum() > limit
    words = [sys.executable, "-m", "xfactor.cli", "report", str(store), "--memory-limit", "1GB"]
    # A process of its own that starts the command: what it waited for is that one's peak.
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
    )
    words += ["-o", str(tmp_path / "r.html")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split("peak ")[1]) <= limit
    assert (tmp_path / "r.html").stat().st_size < 2_000_000


def test_report__is_one_whole_page_that_loads_nothing(made):
    _, path, page = made
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert all(a.startswith("#") or a == "data:," for a in page.addresses)
    text = path.read_text("utf-8")
    assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org/2000/svg)", text)
    assert text.count("<figure") >= 15
    assert path.stat().st_size < 2_000_000
    assert "nan" not in re.sub(r"<style>.*?</style>|<script>.*?</script>", "", text, flags=re.S)
    assert len(re.findall(r"<script>(.*?)</script>", text, re.S)[-1]) < 20_000


def test_report__the_call_in_it_makes_it_again(made):
    store, path, _ = made
    text = path.read_text("utf-8")
    command, python = re.findall(r"<code>(.*?)</code>", text, re.S)
    args = cli.commands.parser().parse_args(shlex.split(command)[1:])
    assert (args.store, args.output) == (str(store), path)
    assert (args.window, args.momentum, args.horizons, args.min_names, args.signals) == (
        40, (40, 5), (1, 5), 3, ["volume"],
    )  # fmt: skip
    calls = []
    scope = {"write_report": lambda *a, **k: calls.append((a, k))}
    exec(python.split("\n", 1)[1], scope)
    assert calls == [((str(store), str(path)), {**SHORT, "signals": ["volume"]})]


LACKING = {
    "market": (["market_returns"], "the store has no market_returns", []),
    "value": (["book_to_price"], "the store has no book_to_price", []),
    "size": (["market_cap"], "no market_cap to choose", ["The portfolio's betas"]),
    "listed": (["listed"], "coverage is the share of all assets", []),
    "returns": (["returns"], "they are those of adjusted_close", []),
    "prices": (
        ["returns", "close", "adjusted_close"], "neither returns nor prices",
        ["Factor portfolios", "What came after the signals", "Regressions across assets"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LACKING)
def test_report__leaves_out_what_the_store_lacks_and_says_so(case, universe, tmp_path):
    fields, reason, sections = LACKING[case]
    panel = universe[0].drop_vars([*fields, "risk_free", "volume", "split", "shares_outstanding"])
    store = xf.write_panel(panel.isel(date=slice(150)).chunk(asset=-1), tmp_path / "panel.zarr")
    page = Page(write_report(store, tmp_path / "r.html", **SHORT).read_text("utf-8"))
    assert reason in page.text
    assert not set(sections) & set(page.sections)
    assert "Data and what was left out" in page.sections
    if case != "prices":
        assert "Factor portfolios" in page.sections


def test_report__of_a_short_or_empty_history_says_why(universe, tmp_path):
    few = universe[0][["close", "market_cap"]].isel(date=slice(3))
    store = xf.write_panel(few.chunk(asset=-1), tmp_path / "panel.zarr")
    for least, reason in ((50, "enough names in each leg"), (3, "no longer than a window")):
        page = Page(write_report(store, tmp_path / "r.html", min_names=least).read_text("utf-8"))
        assert reason in page.text
        assert "too few for a momentum" in page.text
    none = few.where(few["close"] < 0)
    store = xf.write_panel(none.chunk(asset=-1), tmp_path / "none.zarr")
    page = Page(write_report(store, tmp_path / "r.html").read_text("utf-8"))
    assert page.sections == ["Data and what was left out", "How to make this page again"]


def test_report__writes_text_of_others_as_text(made, tmp_path):
    store, _, _ = made
    title = "<script>alert('x')</script> & co"
    path = write_report(store, tmp_path / "r.html", title=title, end="2000-03-01", **SHORT)
    text = path.read_text("utf-8")
    assert "<script>alert" not in text
    assert title in Page(text).text


def test_report__that_fails_leaves_the_old_file(made, tmp_path, monkeypatch):
    store, _, _ = made
    path = tmp_path / "r.html"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page_module.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_report(store, path, end="2000-03-01", **SHORT)
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    assert path.read_text() == "old"


BAD = {
    "missing store": (["nowhere.zarr"], "nothing is at nowhere.zarr"),
    "no signal": (["{store}", "--signals", "beauty"], "no field 'beauty'"),
    "a label": (["{store}", "--signals", "risk_free"], "a number for each date and asset"),
    "no symbol": (["{store}", "--portfolio", "NOBODY"], "NOBODY"),
    "no date": (["{store}", "--start", "2050-01-01"], "has no date in"),
    "fraction": (["{store}", "--fraction", "0.9"], "fraction"),
    "no room": (["{store}", "--memory-limit", "10MB"], "--memory-limit"),
}


@pytest.mark.parametrize("case", BAD)
def test_command__bad_input_ends_in_one_line_and_no_file(case, made, tmp_path, capsys):
    words, expected = BAD[case]
    path = tmp_path / "r.html"
    given = [w.format(store=made[0]) for w in words]
    assert cli.main(["report", *given, "-o", str(path)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert expected in lines[0]
    assert not list(tmp_path.iterdir())


def test_command__writes_the_page_and_says_where(made, tmp_path, capsys):
    path = tmp_path / "folder" / "r.html"
    words = ["--end", "2000-04-01", "--window", "20", "--momentum", "20-2", "--horizons", "1,3"]
    assert cli.main(["report", str(made[0]), "-o", str(path), *words, "--min-names", "3"]) == 0
    assert str(path) in capsys.readouterr().out
    assert "Factor portfolios" in Page(path.read_text("utf-8")).sections


@pytest.mark.parametrize(
    ("dates", "want"),
    [
        (pd.bdate_range("2000-01-03", periods=600), 252), (pd.date_range("2000", periods=5), 252),
        (pd.date_range("2000-01-31", periods=40, freq="ME"), 12),
        (pd.date_range("2000-01-07", periods=99, freq="W"), 52),
        (pd.date_range("2000-03-31", periods=9, freq="QE"), 4),
        (pd.date_range("2000-01-03 10:00", periods=4, freq="h"), 1008),
        (pd.date_range("2000", periods=1), 252),
    ],
)  # fmt: skip
def test_periods_per_year__are_those_of_the_frequency(dates, want):
    assert periods_per_year(dates) == want


# --- what looking at it found ---------------------------------------------------------------------


def test_histogram__writes_marks_that_are_where_it_says():
    from xfactor.report import bars
    from xfactor.report.charts import Look

    edges = np.linspace(-6.0, 6.0, 9)
    drawn = bars.histogram(Look("x", "share"), edges, {"raw": np.ones(8)}, "deviations")
    marks = re.findall(r"left:\s*([\d.]+)%[^>]*>([^<]+)<", drawn)
    written = {float(text.replace("\N{MINUS SIGN}", "-")): float(at) for at, text in marks}
    assert {-2.5, 2.5} <= set(written)
    for number, at in written.items():
        assert 12 * at / 100 - 6 == pytest.approx(number, abs=0.02)


def test_report__gives_what_is_specific_no_exposure(made):
    risk = made[2].table("Per date")
    assert list(risk.loc["specific"])[:2] == ["\N{EN DASH}"] * 2
    assert "%" in risk.loc["specific", "component"]
