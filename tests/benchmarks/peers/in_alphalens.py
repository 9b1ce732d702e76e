"""Parts of the task by alphalens, on frames in memory."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from alphalens.performance import factor_information_coefficient, mean_return_by_quantile
from alphalens.utils import get_clean_factor_and_forward_returns

from tests.benchmarks.peers.task import Answer, Size


@lru_cache
def load(folder: Path) -> tuple[pd.Series, pd.DataFrame]:
    """The signal and the prices, in the frames that alphalens wants; not timed."""
    long = pd.read_parquet(
        folder / "panel.parquet", columns=["date", "asset", "market_cap", "close"]
    )
    long["date"] = pd.to_datetime(long["date"]).astype("datetime64[ns]")
    signal = long.set_index(["date", "asset"])["market_cap"]
    return signal, long.pivot(index="date", columns="asset", values="close")


def deciles(folder: Path, size: Size) -> Answer:
    """Mean returns of the next date by decile, and rank correlations with them."""
    signal, prices = load(folder)
    data = get_clean_factor_and_forward_returns(
        signal, prices, quantiles=10, periods=(1,), max_loss=1.0, filter_zscore=None
    )
    means, _ = mean_return_by_quantile(data, by_date=True, demeaned=False)
    correlation = factor_information_coefficient(data)
    table = means.iloc[:, 0].unstack("factor_quantile").reindex(prices.index)
    return {
        "deciles": table.to_numpy(np.float64),
        "correlation": correlation.iloc[:, 0].reindex(prices.index).to_numpy(np.float64),
    }
