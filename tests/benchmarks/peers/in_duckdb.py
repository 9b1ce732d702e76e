"""The task in SQL, from Parquet. Small systems of equations are NumPy's."""

import tempfile
from pathlib import Path

import duckdb
import numpy as np

from tests.benchmarks.peers.solving import coefficients, pairs, premia
from tests.benchmarks.peers.task import (
    CLIP,
    FACTORS,
    LEAST,
    LOOKBACK,
    SKIP,
    TRAITS,
    WINDOW,
    Answer,
    Size,
)  # fmt: skip


def sums(x: tuple[str, ...], y: str) -> list[str]:
    """Sums whose normal equations `coefficients` solves, of rows that are complete."""
    return [
        "1", *x, *[f"{x[i]} * {x[j]}" for i, j in pairs(len(x))], y, *[f"{a} * {y}" for a in x]
    ]  # fmt: skip


def totals(x: tuple[str, ...], y: str) -> str:
    """The same as aggregates."""
    return ", ".join(f"sum({s})" for s in sums(x, y))


def leg_means(trait: str, n: int) -> str:
    """High less low."""
    r = f"{trait}_rank"
    legs = f"least({n}, {trait}_n // 2)"
    return (
        f"avg(later) FILTER ({trait} IS NOT NULL AND {r} > {trait}_n - {legs})"
        f" - avg(later) FILTER ({trait} IS NOT NULL AND {r} <= {legs})"
    )


def query(sql: duckdb.DuckDBPyConnection, text: str) -> np.ndarray:
    """The rows of a query as float64, NULL as NaN."""
    found = sql.execute(text).fetchnumpy()
    columns = [np.ma.filled(np.ma.asarray(c, np.float64), np.nan) for c in found.values()]
    return np.column_stack(columns)


def slopes() -> str:
    """Slopes on three regressors from rolling sums, by Cramer's rule; constant and number too."""
    x = FACTORS
    lines = ["SELECT date, s0 AS n, " + ", ".join(f"s{1 + i} / s0 AS m{i}" for i in range(3))]
    lines[0] += ", s10 / s0 AS my"
    for p, (i, j) in enumerate(pairs(3)):
        lines.append(f", s{4 + p} - s{1 + i} * s{1 + j} / s0 AS c{i}{j}")
    lines += [f", s{11 + i} - s{1 + i} * s10 / s0 AS b{i}" for i in range(len(x))]
    return " ".join(lines) + f" FROM rolled WHERE s0 >= {LEAST} AND returns IS NOT NULL"


DETERMINANT = (
    "c00 * (c11 * c22 - c12 * c12) - c01 * (c01 * c22 - c12 * c02) + c02 * (c01 * c12 - c11 * c02)"
)
CRAMER = (
    "(b0 * (c11 * c22 - c12 * c12) - c01 * (b1 * c22 - c12 * b2) + c02 * (b1 * c12 - c11 * b2))",
    "(c00 * (b1 * c22 - c12 * b2) - b0 * (c01 * c22 - c12 * c02) + c02 * (c01 * b2 - b1 * c02))",
    "(c00 * (c11 * b2 - b1 * c12) - c01 * (c01 * b2 - b1 * c02) + b0 * (c01 * c12 - c11 * c02))",
)


def lecture(folder: Path, size: Size, memory: str = "") -> Answer:
    """All five steps."""
    with tempfile.TemporaryDirectory(dir=folder) as spill, duckdb.connect() as sql:
        sql.execute(f"SET threads = {size.threads}; SET temp_directory = '{spill}'")
        sql.execute("SET preserve_insertion_order = false")
        if memory:
            sql.execute(f"SET memory_limit = '{memory}'")
        _base(sql, folder)
        answer = _factors(sql, size)
        answer |= _two_pass(sql, size)
        answer |= _rolling(sql)
        answer |= _across(sql)
    return answer


def _base(sql: duckdb.DuckDBPyConnection, folder: Path) -> None:
    sql.execute(f"""
        CREATE TEMP TABLE dates AS SELECT date, row_number() OVER (ORDER BY date) - 1 AS t
        FROM (SELECT DISTINCT date FROM '{folder}/panel.parquet');
        CREATE TEMP TABLE base AS
        SELECT t, asset, ln(market_cap) AS size, book_to_price AS value,
            CASE WHEN close IS NOT NULL
                THEN lag(close, {SKIP}) OVER w / lag(close, {LOOKBACK}) OVER w - 1 END AS momentum,
            returns, lead(returns) OVER w AS later
        FROM '{folder}/panel.parquet' JOIN dates USING (date)
        WINDOW w AS (PARTITION BY asset ORDER BY date);
    """)


def _factors(sql: duckdb.DuckDBPyConnection, size: Size) -> Answer:
    ranks = ", ".join(
        f"row_number() OVER (PARTITION BY t ORDER BY {x} NULLS LAST, asset) AS {x}_rank,"
        f" count({x}) OVER (PARTITION BY t) AS {x}_n"
        for x in TRAITS
    )
    means = ", ".join(
        f"{'-' if f == 'SMB' else ''}({leg_means(x, size.n)}) AS {f}"
        for x, f in zip(TRAITS, FACTORS, strict=True)
    )
    sql.execute(f"""
        CREATE TEMP TABLE factors AS
        SELECT t + 1 AS t, {means} FROM (SELECT *, {ranks} FROM base) GROUP BY t
    """)
    found = query(sql, "SELECT t, SMB, HML, MOM FROM factors ORDER BY t")
    f = np.full((size.dates, 3), np.nan)
    found = found[found[:, 0] < size.dates]
    f[found[:, 0].astype(int)] = found[:, 1:]
    return {"factors": f}


def _two_pass(sql: duckdb.DuckDBPyConnection, size: Size) -> Answer:
    known = "returns IS NOT NULL AND SMB IS NOT NULL AND HML IS NOT NULL AND MOM IS NOT NULL"
    first = query(sql, f"""
        SELECT asset, {totals(FACTORS, "returns")} FROM base JOIN factors USING (t)
        WHERE {known} GROUP BY asset ORDER BY asset
    """)  # fmt: skip
    betas = np.full((size.assets, 3), np.nan)
    betas[first[:, 0].astype(int)] = coefficients(first[:, 1:], 3, LEAST)[:, 1:]
    asset, b0, b1, b2 = np.arange(size.assets), *betas.T
    sql.register("betas", dict(asset=asset, b0=b0, b1=b1, b2=b2))
    f = coefficients(query(sql, f"""
        SELECT {totals(("b0", "b1", "b2"), "returns")} FROM base JOIN betas USING (asset)
        WHERE returns IS NOT NULL AND NOT isnan(b0) GROUP BY t ORDER BY t
    """), 3, 5)  # fmt: skip
    mean, error = premia(f)
    return {"betas": betas, "premium": mean, "premium_error": error}


def _rolling(sql: duckdb.DuckDBPyConnection) -> Answer:
    each = [f"CASE WHEN ok THEN {s} END" for s in sums(FACTORS, "returns")]
    rolled = ", ".join(f"sum({s}) OVER w AS s{i}" for i, s in enumerate(each))
    betas = [f"{c} / d" for c in CRAMER]
    means = ", ".join(f"avg(k{i})" for i in range(3))
    found = query(sql, f"""
        WITH rolled AS (
            SELECT t AS date, returns, {rolled} FROM (
                SELECT *, returns + SMB + HML + MOM IS NOT NULL AS ok
                FROM base LEFT JOIN factors USING (t))
            WINDOW w AS (PARTITION BY asset ORDER BY t ROWS {WINDOW - 1} PRECEDING)),
        centred AS ({slopes()}),
        solved AS (SELECT *, {betas[0]} AS k0, {betas[1]} AS k1, {betas[2]} AS k2
            FROM (SELECT *, {DETERMINANT} AS d FROM centred))
        SELECT dates.t, {means}, avg(my - k0 * m0 - k1 * m1 - k2 * m2), count(k0)
        FROM dates LEFT JOIN solved ON dates.t = solved.date GROUP BY dates.t ORDER BY dates.t
    """)  # fmt: skip
    return {"rolling_beta": found[:, 1:4], "rolling_alpha": found[:, 4], "rolling_n": found[:, 5]}


def _across(sql: duckdb.DuckDBPyConnection) -> Answer:
    bounds = ", ".join(f"quantile_cont({x}, [{CLIP}, {1 - CLIP}]) AS q_{x}" for x in TRAITS)
    clipped = ", ".join(
        f"CASE WHEN {x} IS NOT NULL THEN greatest(least({x}, q_{x}[2]), q_{x}[1]) END AS {x}"
        for x in TRAITS
    )
    moments = ", ".join(f"avg({x}) AS m_{x}, stddev_pop({x}) AS s_{x}" for x in TRAITS)
    scores = ", ".join(f"({x} - m_{x}) / s_{x} AS {x}" for x in TRAITS)
    found = query(sql, f"""
        WITH bounds AS (SELECT t, {bounds} FROM base GROUP BY t),
        clipped AS (SELECT t, later, {clipped} FROM base JOIN bounds USING (t)),
        moments AS (SELECT t, {moments} FROM clipped GROUP BY t),
        exposures AS (SELECT t, later, {scores} FROM clipped JOIN moments USING (t)),
        complete AS (SELECT * FROM exposures WHERE later + size + value + momentum IS NOT NULL)
        SELECT dates.t, {totals(TRAITS, "later")}
        FROM dates LEFT JOIN complete ON complete.t = dates.t - 1 GROUP BY dates.t ORDER BY dates.t
    """)  # fmt: skip
    f = coefficients(found[:, 1:], 3, 5)
    mean, error = premia(f)
    return {"across": f, "across_premium": mean, "across_error": error}
