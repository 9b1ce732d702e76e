"""Parts of the task by zipline's Pipeline engine, on frames in memory and without a bundle."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from zipline.assets import AssetDBWriter, AssetFinder
from zipline.pipeline import Pipeline
from zipline.pipeline.data import Column, DataSet
from zipline.pipeline.domain import EquitySessionDomain
from zipline.pipeline.engine import SimplePipelineEngine
from zipline.pipeline.loaders.frame import DataFrameLoader

from tests.benchmarks.peers.task import MIXED, PART_FIELDS, Answer, Size


class Fields(DataSet):
    """Those of the panel."""

    market_cap = Column(float)
    book_to_price = Column(float)
    returns = Column(float)


@lru_cache
def load(folder: Path) -> tuple[SimplePipelineEngine, pd.DatetimeIndex]:
    """An engine whose loaders hold the panel as wide frames; not timed."""
    long = pd.read_parquet(folder / "panel.parquet", columns=["date", "asset", *PART_FIELDS])
    long["date"] = pd.to_datetime(long["date"]).astype("datetime64[ns]")
    wide = {name: long.pivot(index="date", columns="asset", values=name) for name in PART_FIELDS}
    dates, sids = wide["returns"].index, wide["returns"].columns
    database = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    before = dates[0] - pd.Timedelta("1D")  # nothing exists on its first date
    equities = pd.DataFrame({"symbol": [f"A{i}" for i in sids], "asset_name": ""}, index=sids)
    equities = equities.assign(start_date=before, end_date=dates[-1], exchange="X")
    exchanges = pd.DataFrame({"exchange": ["X"], "canonical_name": ["X"], "country_code": ["US"]})
    AssetDBWriter(database).write(equities=equities, exchanges=exchanges)
    domain = EquitySessionDomain(dates, "US")
    loaders = {
        name: DataFrameLoader(getattr(Fields, name).specialize(domain), frame)
        for name, frame in wide.items()
    }
    engine = SimplePipelineEngine(
        lambda column: loaders[column.name], AssetFinder(database), domain
    )
    return engine, dates


def _run(folder: Path, pipe: Pipeline) -> tuple[pd.DataFrame, pd.DatetimeIndex]:
    engine, dates = load(folder)
    return engine.run_pipeline(pipe, dates[0], dates[-1]), dates


def ranks(folder: Path, size: Size) -> Answer:
    """Ordinal ranks of book to price."""
    found, dates = _run(folder, Pipeline({"rank": Fields.book_to_price.latest.rank()}))
    date, asset = (found.index.codes[i] for i in range(2))
    sids = np.array([a.sid for a in found.index.levels[1]])
    mixed = np.nan_to_num(found["rank"].to_numpy()) * (sids[asset] % MIXED)
    return {"mixed": np.bincount(date, mixed, len(dates))}


def sorts(folder: Path, size: Size) -> Answer:
    """SMB and HML, with the lecture's own code."""
    cap, value = (f.latest.rank() for f in (Fields.market_cap, Fields.book_to_price))
    legs: dict[str, Any] = {
        "biggest": cap.top(size.n), "smallest": cap.bottom(size.n),
        "highpb": value.top(size.n), "lowpb": value.bottom(size.n),
    }  # fmt: skip
    screen = legs["biggest"] | legs["smallest"] | legs["highpb"] | legs["lowpb"]
    found, dates = _run(folder, Pipeline({"r": Fields.returns.latest, **legs}, screen=screen))
    means = {k: found[found[k]]["r"].groupby(level=0).mean().reindex(dates) for k in legs}
    both = (means["smallest"] - means["biggest"], means["highpb"] - means["lowpb"])
    return {"factors": np.column_stack(both)}
