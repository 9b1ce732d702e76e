"""The task in Polars' expressions, from Parquet. Small systems of equations are NumPy's."""

from pathlib import Path

import numpy as np
import polars as pl

from tests.benchmarks.peers.solving import coefficients, pairs, premia
from tests.benchmarks.peers.task import (
    CLIP,
    FACTORS,
    LEAST,
    LOOKBACK,
    MIXED,
    SKIP,
    TRAITS,
    WINDOW,
    Answer,
    Size,
)  # fmt: skip

E = pl.Expr


def products(x: list[E], y: E) -> list[E]:
    """What is summed for the normal equations that `coefficients` solves; rows are complete."""
    one = pl.lit(1.0)
    return [one, *x, *[x[i] * x[j] for i, j in pairs(len(x))], y, *[a * y for a in x]]


def totals(x: list[E], y: E) -> list[E]:
    """The sums."""
    made = products(x, y)
    return [pl.len().alias("s0"), *[p.sum().alias(f"s{i}") for i, p in enumerate(made) if i]]


def lecture(folder: Path, size: Size, streaming: bool = False) -> Answer:
    """All five steps."""
    engine = "streaming" if streaming else "auto"
    rows = pl.scan_parquet(folder / "panel.parquet")
    dates = rows.select("date").unique().sort("date").with_row_index("t").collect(engine=engine)
    base = _base(rows, dates).collect(engine=engine)
    f = _factors(base.lazy(), size).collect(engine=engine)
    factors = np.full((size.dates, 3), np.nan)
    factors[f["t"].to_numpy()] = f.select(FACTORS).to_numpy()
    answer = {"factors": factors}
    known = f.drop_nulls()
    answer |= _two_pass(base.lazy(), known.lazy(), size, engine)
    answer |= _rolling(base.lazy(), known.lazy(), size, engine)
    answer |= _across(base.lazy(), size, engine)
    return answer


def _base(rows: pl.LazyFrame, dates: pl.DataFrame) -> pl.LazyFrame:
    # The file is in order of date and asset, and groups keep the order of their rows.
    close = pl.col("close")
    past = close.shift(SKIP).over("asset") / close.shift(LOOKBACK).over("asset") - 1
    return (
        rows.join(dates.lazy(), on="date", maintain_order="left")
        .select(
            "t", "asset", "returns",
            pl.col("market_cap").log().alias("size"),
            pl.col("book_to_price").alias("value"),
            pl.when(close.is_not_null()).then(past).alias("momentum"),
            pl.col("returns").shift(-1).over("asset").alias("later"),
        )
    )  # fmt: skip


def _factors(base: pl.LazyFrame, size: Size) -> pl.LazyFrame:
    def spread(trait: str) -> E:
        x, r = pl.col(trait), pl.col("later")
        rank, count = x.rank("ordinal"), x.count()
        n = pl.min_horizontal(pl.lit(size.n, pl.UInt32), count // 2)
        return r.filter(rank > count - n).mean() - r.filter(rank <= n).mean()

    legs = [
        (-spread(x) if f == "SMB" else spread(x)).alias(f)
        for x, f in zip(TRAITS, FACTORS, strict=True)
    ]
    by_date = base.group_by("t").agg(legs)
    return by_date.with_columns(pl.col("t") + 1).filter(pl.col("t") < size.dates)


def _two_pass(base: pl.LazyFrame, known: pl.LazyFrame, size: Size, engine: str) -> Answer:
    r = pl.col("returns")
    x = [pl.col(f) for f in FACTORS]
    held = base.filter(r.is_not_null()).select("t", "asset", "returns")
    first = held.join(known, on="t").group_by("asset").agg(totals(x, r)).collect(engine=engine)
    betas = np.full((size.assets, 3), np.nan)
    betas[first["asset"].to_numpy()] = coefficients(first.drop("asset").to_numpy(), 3, LEAST)[:, 1:]
    table = pl.LazyFrame(
        {"asset": np.arange(size.assets, dtype=np.int32)} | {f: betas[:, i] for i, f in
                                                            enumerate(FACTORS)}
    ).filter(pl.col(FACTORS[0]).is_not_nan())  # fmt: skip
    second = held.join(table, on="asset").group_by("t").agg(totals(x, r)).sort("t")
    mean, error = premia(coefficients(second.drop("t").collect(engine=engine).to_numpy(), 3, 5))
    return {"betas": betas, "premium": mean, "premium_error": error}


def _rolling(base: pl.LazyFrame, known: pl.LazyFrame, size: Size, engine: str) -> Answer:
    r = pl.col("returns")
    x = [pl.col(f) for f in FACTORS]
    complete = r.is_not_null() & x[0].is_not_null()
    rolled = [
        pl.when(complete).then(p).otherwise(0.0)
        .rolling_sum(WINDOW, min_samples=1).over("asset").alias(f"s{i}")
        for i, p in enumerate(products(x, r))
    ]  # fmt: skip
    s = [pl.col(f"s{i}") for i in range(14)]
    n = s[0]
    c = {p: s[4 + k] - s[1 + p[0]] * s[1 + p[1]] / n for k, p in enumerate(pairs(3))}
    b = {f"b{i}": s[11 + i] - s[1 + i] * s[10] / n for i in range(3)}
    centred = [v.alias(f"c{i}{j}") for (i, j), v in c.items()]
    centred += [v.alias(k) for k, v in b.items()]
    k = _slopes()
    alpha = (s[10] - sum((k_ * s[1 + i] for i, k_ in enumerate(k)), pl.lit(0.0))) / n
    each = (
        base.select("t", "asset", "returns").join(known, on="t", how="left", maintain_order="left")
        .select("t", "returns", *rolled)
        .filter((n > LEAST - 0.5) & r.is_not_null())
        .with_columns(centred)
        .select("t", *[v.alias(f"k{i}") for i, v in enumerate(k)], alpha.alias("alpha"))
    )  # fmt: skip
    found = each.group_by("t").agg(pl.col("k0", "k1", "k2", "alpha").mean(), pl.len().alias("n"))
    done = found.collect(engine=engine)
    means = np.full((size.dates, 5), np.nan)
    means[:, 4] = 0
    means[done["t"].to_numpy()] = done.drop("t").to_numpy()
    return {"rolling_beta": means[:, :3], "rolling_alpha": means[:, 3], "rolling_n": means[:, 4]}


def _slopes() -> list[E]:
    """Cramer's rule."""
    c = {(i, j): pl.col(f"c{min(i, j)}{max(i, j)}") for i in range(3) for j in range(3)}

    def determinant(m: dict[tuple[int, int], E]) -> E:
        return (
            m[0, 0] * (m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1])
            - m[0, 1] * (m[1, 0] * m[2, 2] - m[1, 2] * m[2, 0])
            + m[0, 2] * (m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0])
        )

    whole = determinant(c)
    return [
        determinant(c | {(row, i): pl.col(f"b{row}") for row in range(3)}) / whole for i in range(3)
    ]


def _across(base: pl.LazyFrame, size: Size, engine: str) -> Answer:
    x = [pl.col(t) for t in TRAITS]
    bounds = base.group_by("t").agg(
        *[pl.col(t).quantile(CLIP, "linear").alias(f"lo_{t}") for t in TRAITS],
        *[pl.col(t).quantile(1 - CLIP, "linear").alias(f"hi_{t}") for t in TRAITS],
    )
    clipped = base.join(bounds, on="t").select(
        "t", "later", *[pl.col(t).clip(pl.col(f"lo_{t}"), pl.col(f"hi_{t}")) for t in TRAITS]
    )
    moments = clipped.group_by("t").agg(
        *[pl.col(t).mean().alias(f"m_{t}") for t in TRAITS],
        *[pl.col(t).std(ddof=0).alias(f"s_{t}") for t in TRAITS],
    )
    exposures = clipped.join(moments, on="t").select(
        "t", "later", *[((pl.col(t) - pl.col(f"m_{t}")) / pl.col(f"s_{t}")) for t in TRAITS]
    )
    by_date = exposures.drop_nulls().group_by("t").agg(totals(x, pl.col("later")))
    found = by_date.collect(engine=engine)
    f = np.full((size.dates, 4), np.nan)
    f[found["t"].to_numpy() + 1] = coefficients(found.drop("t").to_numpy(), 3, 5)
    mean, error = premia(f)
    return {"across": f, "across_premium": mean, "across_error": error}


def ranks(folder: Path, size: Size) -> Answer:
    """Ordinal ranks of book to price."""
    rows = pl.scan_parquet(folder / "panel.parquet").select("date", "asset", "book_to_price")
    rank = pl.col("book_to_price").rank("ordinal").cast(pl.Float64)
    made = (
        rows.group_by("date")
        .agg((rank * (pl.col("asset") % MIXED)).sum().alias("mixed")).sort("date")
    )  # fmt: skip
    return {"mixed": made.collect()["mixed"].to_numpy()}


def sorts(folder: Path, size: Size) -> Answer:
    """SMB and HML, returns of the same date."""

    def spread(name: str) -> E:
        x, r = pl.col(name), pl.col("returns")
        rank, count = x.rank("ordinal"), x.count()
        return r.filter(rank > count - size.n).mean() - r.filter(rank <= size.n).mean()

    rows = pl.scan_parquet(folder / "panel.parquet")
    made = (
        rows.group_by("date")
        .agg(-spread("market_cap"), spread("book_to_price").alias("HML")).sort("date")
    )  # fmt: skip
    return {"factors": made.drop("date").collect().to_numpy()}
