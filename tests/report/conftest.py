"""One report of everything, for all tests of reports."""

import pytest

import xfactor as xf
from tests.report.page import SHORT, Page
from xfactor.report import write_report


@pytest.fixture(scope="session")
def universe():
    return xf.compute(*xf.simulate_panel(dates=260, assets=60, seed=4))


@pytest.fixture(scope="session")
def made(universe, tmp_path_factory):
    """A report of everything: the store, the file and its contents."""
    folder = tmp_path_factory.mktemp("report")
    store = xf.write_panel(universe[0].chunk(date=64, asset=-1), folder / "panel.zarr")
    path = write_report(store, folder / "report.html", signals=["volume"], **SHORT)
    return store, path, Page(path.read_text("utf-8"))
