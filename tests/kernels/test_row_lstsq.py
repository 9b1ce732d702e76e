"""Regressions across rows without labels: the compiled code does what its Python source does."""

import numpy as np
import pytest

from xfactor.kernels import (
    row_data,
    row_effects,
    row_load,
    row_lstsq,
    row_problem,
    row_robust,
    row_sets,
    row_solve,
)
from xfactor.kernels.row_problem import Model, Numbers

MODULES = (row_data, row_effects, row_load, row_problem, row_robust, row_sets, row_solve)
SETS = ((0, 1, 2), (5, 3))
MODELS = {
    "plain": Model(intercept=True, white=True),
    "none": Model(intercept=False, ridge=0.2),
    "one": Model(intercept=True, weighted=True, sized=True, sets=SETS[:1], white=True),
    "two": Model(intercept=True, weighted=True, sets=SETS, white=True, ridge=0.1),
    "free": Model(intercept=False, sets=SETS, constraint="drop_first"),
}


def drawn(model, rows=5, n=14):
    """Arrays of a regression on two regressors, the last two rows ill-conditioned and deficient."""
    rng = np.random.default_rng(1)
    y, *x = rng.normal(size=(3, rows, n))
    x[1][-2:] = x[0][-2:] + 1e-5 * x[1][-2:]
    x[1][-1] = x[0][-1]
    y[rng.random(y.shape) < 0.1] = np.nan
    positive = [rng.lognormal(size=y.shape) for _ in range(model.weighted + model.sized)]
    return [y, *x, *positive, *(rng.choice([*s, -1], y.shape).astype(np.int16) for s in model.sets)]


@pytest.mark.parametrize("name", MODELS)
def test_fit_rows__python_source_gives_what_the_compiled_code_gives(name, monkeypatch):
    model = MODELS[name]
    arrays = drawn(model)
    run = [
        lambda: row_lstsq.fit_rows(*arrays, model=model),
        lambda: (row_lstsq.portfolio_rows(*arrays, model=model, valued=True),),
    ]
    if not (model.white or model.ridge):
        run.append(lambda: row_robust.huber_rows(
            *arrays, model=model, k=1.3, tolerance=1e-3, max_iterations=30))  # fmt: skip
    want = [r() for r in run]
    for module in MODULES:
        for key, value in list(vars(module).items()):
            if hasattr(value, "py_func"):
                monkeypatch.setattr(module, key, value.py_func)
    with np.errstate(all="ignore"):  # compiled code does not warn
        got = [r() for r in run]
    for a, b in zip(sum(map(tuple, got), ()), sum(map(tuple, want), ()), strict=True):
        # The compiler adds in another order, and an ill-conditioned row magnifies it.
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def test_fit_rows__takes_each_row_alone_and_does_not_change_its_input():
    model = MODELS["two"]
    arrays = drawn(model, rows=600, n=12)  # more than a batch
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    whole = row_lstsq.fit_rows(*arrays, model=model)
    for r in (0, 255, 256, 599):
        alone = row_lstsq.fit_rows(*(a[r : r + 1] for a in arrays), model=model)
        for a, b in zip(whole, alone, strict=True):
            np.testing.assert_array_equal(a[r : r + 1], b)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("values", [(0, 1, 2), (7, 3, 50), (3, 10**9, 5), (4,)])
def test_numbers__find_each_code_and_no_other(values):
    numbers = Numbers(values, first=10)
    codes = np.array([[-1, 0, 1, 2, 3, 4, 5], [7, 50, 10**9, -(10**9), 60, 49, 8]])
    want = [[10 + values.index(c) if c in values else -1 for c in row] for row in codes.tolist()]
    np.testing.assert_array_equal(numbers.of(codes), want)
    late = codes.astype(float)
    late[0, 0] = np.nan
    np.testing.assert_array_equal(numbers.of(late), want)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 101])
def test_medians__are_those_of_numpy(n):
    rng = np.random.default_rng(n)
    residual = rng.integers(-4, 5, (40, n)).astype(float) + rng.normal(0, 1e-3, (40, n)).round(3)
    residual[rng.random(residual.shape) < 0.3] = np.nan
    got = row_robust._scale(residual, np.full(residual.shape, 4.0))
    known = [r[np.isfinite(r)] for r in residual]
    want = [
        np.median(2 * np.abs(r)) / row_robust.MAD_OF_NORMAL if len(r) else np.nan for r in known
    ]
    np.testing.assert_array_equal(got, want)
