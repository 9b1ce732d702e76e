"""The lecture's first pipeline: ``python -m tests.benchmarks.pipeline``.

From the store to SMB and HML: MarketCap and BookToPrice as `CustomFactor`, daily returns, two
ranks, four memberships of 1000 names and the screen, as in the lecture, on 252 x 5,000 and on
2,520 x 5,000. Timed beside reading the three fields that it needs from the same store with the same
threads, each in turn and several times; medians. "lazy" is
`to_dataset` with the means of the four legs, "frame" is `run_pipeline` and the lecture's
own pandas code. The last lines time what `CustomFactor` costs per date beside the user's own code.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import xarray as xr

import xfactor as xf
from tests.benchmarks.speed import panel
from xfactor.pipeline import Column, CustomFactor, DataSet, Pipeline, Returns, run_pipeline
from xfactor.pipeline.data import USEquityPricing

LEGS = ("smallest", "biggest", "highpb", "lowpb")


class morningstar:
    """As in the lecture."""

    class valuation(DataSet):
        """Shares."""

        shares_outstanding = Column(float)

    class valuation_ratios(DataSet):
        """Ratios."""

        pb_ratio = Column(float)


class MarketCap(CustomFactor):
    """Shares times price."""

    inputs = (morningstar.valuation.shares_outstanding, USEquityPricing.close)
    window_length = 1

    def compute(self, today, assets, out, shares, close_price):  # type: ignore[no-untyped-def]
        """As in the lecture."""
        out[:] = shares * close_price


class BookToPrice(CustomFactor):
    """The reciprocal of price to book."""

    inputs = (morningstar.valuation_ratios.pb_ratio,)
    window_length = 1

    def compute(self, today, assets, out, pb):  # type: ignore[no-untyped-def]
        """As in the lecture."""
        out[:] = 1 / pb


class Nothing(CustomFactor):
    """What a call costs."""

    inputs = (USEquityPricing.close, morningstar.valuation_ratios.pb_ratio)
    window_length = 20

    def compute(self, today, assets, out, close, pb):  # type: ignore[no-untyped-def]
        """Do nothing."""


def lecture_pipeline(n: int = 1000) -> Pipeline:
    """The lecture's `make_pipeline`."""
    cap, value = MarketCap(), BookToPrice()
    cap_rank, value_rank = cap.rank(), value.rank()
    legs = {
        "biggest": cap_rank.top(n), "smallest": cap_rank.bottom(n),
        "highpb": value_rank.top(n), "lowpb": value_rank.bottom(n),
    }  # fmt: skip
    columns = {
        "market_cap": cap, "book_to_price": value, "returns": Returns(window_length=2),
        "market_cap_rank": cap_rank, "book_to_price_rank": value_rank,
    }  # fmt: skip
    screen = legs["biggest"] | legs["smallest"] | legs["highpb"] | legs["lowpb"]
    return Pipeline({**columns, **legs}, screen=screen)


def simulated(dates: int, assets: int) -> xr.Dataset:
    """Prices, shares and price to book: 15 % missing, heavy tails."""
    shock = panel(dates, assets, seed=1)
    close = 20 * np.exp(0.02 * shock.fillna(0).cumsum("date")).where(shock.notnull())
    shares = (1e6 * np.exp(panel(dates, assets, seed=2) / 4)).ffill("date")
    ratio = np.exp(panel(dates, assets, seed=3) / 4)
    return xr.Dataset({"close": close, "shares_outstanding": shares, "pb_ratio": ratio})


def read(store: Path) -> float:
    """Read every chunk of the three fields once, and keep nothing."""
    fields = xf.open_panel(store)
    arrays = [v.data for v in fields.data_vars.values()]
    every = [a.map_blocks(_touched, dtype=float, chunks=(1, 1)) for a in arrays]
    return float(sum(np.nansum(a) for a in dask.compute(*every)))


def _touched(block: np.ndarray) -> np.ndarray:
    return block[:1, :1]


def lazy(store: Path) -> xr.Dataset:
    """SMB and HML, without a frame."""
    pipe = lecture_pipeline()
    terms = pipe.columns
    means = {leg: terms["returns"].mean(mask=terms[leg]) for leg in LEGS}
    pipe.add(means["smallest"] - means["biggest"], "SMB")
    pipe.add(means["highpb"] - means["lowpb"], "HML")
    done = pipe.to_dataset(store, start=second_day(store))
    return xf.compute(done[["SMB", "HML"]])[0]


def frame(store: Path) -> xr.Dataset:
    """SMB and HML as the lecture makes them."""
    results = run_pipeline(lecture_pipeline(), store, second_day(store))
    means = {leg: results[results[leg]]["returns"].groupby(level=0).mean() for leg in LEGS}
    smb, hml = means["smallest"] - means["biggest"], means["highpb"] - means["lowpb"]
    return pd.DataFrame({"SMB": smb, "HML": hml}).to_xarray()


def second_day(store: Path) -> Any:
    """The first date that has a return."""
    return xf.open_panel(store).date.values[1]


def timed(functions: list[Callable[[], Any]], repeats: int) -> list[float]:
    """The median seconds of each, run in turn."""
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, own in zip(functions, seconds, strict=True):
            begun = time.perf_counter()
            function()
            own.append(time.perf_counter() - begun)
    return [statistics.median(own) for own in seconds]


def per_date(store: Path, dates: int) -> float:
    """Microseconds that a call of `compute` costs which does nothing, beside a lagged field."""
    whole = xf.open_panel(store).load()
    pipe = Pipeline({"nothing": Nothing()})
    pipe.to_dataset(whole, start=whole.date.values[19])
    begun = time.perf_counter()
    pipe.to_dataset(whole, start=whole.date.values[19])
    return 1e6 * (time.perf_counter() - begun) / (dates - 19)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dates", type=int, nargs="+", default=[252, 2520])
    parser.add_argument("--assets", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    print(f"{'dates':>6} {'read s':>8} {'lazy s':>8} {'ratio':>6} {'frame s':>8} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for dates in args.dates:
            store = Path(folder) / f"{dates}.zarr"
            xf.write_panel(simulated(dates, args.assets).chunk(date=256), store)
            xr.testing.assert_allclose(lazy(store), frame(store))  # and Numba compiles
            took = timed([partial(f, store) for f in (read, lazy, frame)], args.repeats)
            ratios = [t / took[0] for t in took]
            print(
                f"{dates:>6} {took[0]:>8.2f} {took[1]:>8.2f} {ratios[1]:>6.2f} "
                f"{took[2]:>8.2f} {ratios[2]:>6.2f}",
                flush=True,
            )
        print(f"{per_date(store, dates):.1f} us a date for an empty compute")


if __name__ == "__main__":
    main()
