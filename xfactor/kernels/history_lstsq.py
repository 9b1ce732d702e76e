"""Least squares over a whole history, for every column, from sums held to twice the digits.

Squares of data of condition number c have condition c^2: of 16 digits nothing is left at 1e8. Here
every sum is a pair of numbers, the second what rounding took from the first (Dekker 1971), so one
pass over the data is enough, however ill-conditioned. Sums are taken about the first observation.
"""

import numpy as np

from xfactor.kernels._compile import kernel
from xfactor.kernels._intrinsics import product_error
from xfactor.kernels.columns import LANES, begin, observe
from xfactor.kernels.lanes import CONSTANT, RANK_TOLERANCE, pair


@kernel
def sum_columns(y, x, count, origin, high, low):  # type: ignore[no-untyped-def]
    """Sum each column of y (date, n) with x (date, K, n or 1): count (n,), origin (V, n), and
    V first sums and P products (V + P, n), `low` what rounding took from `high`.
    """  # noqa: D205
    n_var, n = origin.shape
    values = np.zeros((n_var, LANES))
    valid = np.zeros(LANES)
    number = np.zeros((1, LANES))
    start = np.zeros((n_var, LANES))
    total = np.zeros((high.shape[0], LANES))
    rest = np.zeros((high.shape[0], LANES))
    for left in range(0, n, LANES):
        width = min(LANES, n - left)
        waiting = width
        for j in range(LANES):
            number[0, j] = 0.0
        for v in range(n_var):
            for j in range(LANES):
                start[v, j] = 0.0
        for i in range(len(total)):
            for j in range(LANES):
                total[i, j] = 0.0
                rest[i, j] = 0.0
        for t in range(len(y)):
            if observe(y, x, t, left, values, valid):
                if waiting > 0:
                    waiting = begin(values, valid, number, start, width)
                for j in range(LANES):
                    number[0, j] += valid[j]
                _add(values, valid, start, total, rest)
        for j in range(width):
            count[left + j] = number[0, j]
        for v in range(n_var):
            for j in range(width):
                origin[v, left + j] = start[v, j]
        for i in range(len(total)):
            for j in range(width):
                high[i, left + j] = total[i, j]
                low[i, left + j] = rest[i, j]


@kernel
def _add(values, valid, origin, high, low):  # type: ignore[no-untyped-def]
    n_var = values.shape[0]
    at = n_var
    for v in range(n_var):
        for j in range(LANES):
            gap = values[v, j] - origin[v, j]
            values[v, j] = gap if valid[j] != 0.0 else 0.0
        for j in range(LANES):
            s, error = _two_sum(high[v, j], values[v, j])
            high[v, j] = s
            low[v, j] += error
        for u in range(v + 1):
            for j in range(LANES):
                p = values[u, j] * values[v, j]
                s, error = _two_sum(high[at, j], p)
                high[at, j] = s
                low[at, j] += error + product_error(values[u, j], values[v, j], p)
            at += 1


# --- numbers in two parts: (high, low) ----------------------------------------------------------


@kernel
def _two_sum(a, b):  # type: ignore[no-untyped-def]
    """A sum and what rounding took from it (Knuth)."""
    s = a + b
    other = s - a
    return s, (a - (s - other)) + (b - other)


@kernel
def _plus(a, b):  # type: ignore[no-untyped-def]
    s, error = _two_sum(a[0], b[0])
    error += a[1] + b[1]
    high = s + error
    return high, error - (high - s)


@kernel
def _times(a, b):  # type: ignore[no-untyped-def]
    p = a[0] * b[0]
    error = product_error(a[0], b[0], p) + (a[0] * b[1] + a[1] * b[0])
    high = p + error
    return high, error - (high - p)


@kernel
def _minus(a, b):  # type: ignore[no-untyped-def]
    return _plus(a, (-b[0], -b[1]))


@kernel
def _over(a, b):  # type: ignore[no-untyped-def]
    first = a[0] / b[0]
    left = _minus(a, _times((first, 0.0), b))
    return _two_sum(first, left[0] / b[0])


# --- combine and solve --------------------------------------------------------------------------


@kernel
def merge_columns(n_a, origin_a, high_a, low_a, n_b, origin_b, high_b, low_b):  # type: ignore[no-untyped-def]
    """Add the sums of later dates (b) to those of earlier ones, in place."""
    n_var, n = origin_a.shape
    for j in range(n):
        if n_a[j] == 0.0:
            for v in range(n_var):
                origin_a[v, j] = origin_b[v, j]
        if n_b[j] == 0.0:
            continue
        number = (n_b[j], 0.0)
        at = n_var
        for v in range(n_var):
            gap_v = _two_sum(origin_b[v, j], -origin_a[v, j])
            first_v = (high_b[v, j], low_b[v, j])
            moved = _plus(first_v, _times(number, gap_v))
            for u in range(v + 1):
                gap_u = _two_sum(origin_b[u, j], -origin_a[u, j])
                s = _plus((high_b[at, j], low_b[at, j]), _times(gap_u, moved))
                s = _plus(s, _times(gap_v, (high_b[u, j], low_b[u, j])))
                s = _plus((high_a[at, j], low_a[at, j]), s)
                high_a[at, j], low_a[at, j] = s
                at += 1
        for v in range(n_var):
            gap_v = _two_sum(origin_b[v, j], -origin_a[v, j])
            s = _plus((high_b[v, j], low_b[v, j]), _times(number, gap_v))
            s = _plus((high_a[v, j], low_a[v, j]), s)
            high_a[v, j], low_a[v, j] = s
        n_a[j] += n_b[j]


@kernel
def solve_columns(count, origin, high, low, intercept, min_obs, out, mean, root):  # type: ignore[no-untyped-def]
    """Solve every column: out (2 K + 3, n): betas, errors, alpha, its error, R2; NaN if none.

    mean (K, n) of the regressors, and root (K, K, n): (x - mean) root has orthonormal columns (x
    root, without an intercept).
    """
    n_var, n = origin.shape
    k_all = n_var - 1
    p = k_all + 1 if intercept else k_all
    centre = np.zeros((n_var, 2))
    d = np.zeros((n_var, 2))
    factor = np.zeros((n_var, n_var, 2))
    for j in range(n):
        _products(count[j], origin[:, j], high[:, j], low[:, j], intercept, centre, factor)
        for i in range(len(out)):
            out[i, j] = np.nan
        for i in range(k_all):
            mean[i, j] = centre[i, 0]
            for k in range(k_all):
                root[i, k, j] = np.nan
        whole = factor[k_all, k_all, 0]
        if not _decompose(factor, d, centre, count[j]) or count[j] < min_obs:
            continue
        left = max(d[k_all, 0], 0.0)
        spare = count[j] - p
        s2 = left / spare if spare > 0.0 else np.nan
        out[2 * k_all + 2, j] = 1.0 - left / whole if whole > 0.0 else np.nan
        alpha = _coefficients(factor, centre, out[:, j])
        spread = _root(factor, d, centre, max(count[j], 1.0), root[:, :, j])
        for i in range(k_all):
            total = 0.0
            for k in range(i, k_all):
                total += root[i, k, j] * root[i, k, j]
            out[k_all + i, j] = np.sqrt(total * s2)
        if intercept:
            out[2 * k_all, j] = alpha
            out[2 * k_all + 1, j] = np.sqrt(spread * s2)


@kernel
def _products(count, origin, high, low, intercept, centre, factor):  # type: ignore[no-untyped-def]
    """Means and products (u <= v) of one column, about the means if there is an intercept."""
    n_var = len(origin)
    number = (max(count, 1.0), 0.0)
    for v in range(n_var):
        shift = _over((high[v], low[v]), number)
        centre[v, 0], centre[v, 1] = _plus((origin[v], 0.0), shift)
        for u in range(v + 1):
            at = n_var + pair(u, v)
            s = _minus((high[at], low[at]), _times((high[u], low[u]), shift))
            if not intercept:
                s = _plus(s, _times(number, _times(_get(centre, u), _get(centre, v))))
            factor[u, v, 0], factor[u, v, 1] = s


@kernel
def _get(a, i):  # type: ignore[no-untyped-def]
    return a[i, 0], a[i, 1]


@kernel
def _decompose(factor, d, centre, n):  # type: ignore[no-untyped-def]
    """L D L' of one column's products (u <= v), in place; False if there is no rank."""
    n_var = factor.shape[0]
    independent = True
    for v in range(n_var):
        for u in range(1, v):
            s = _get(factor[u], v)
            for k in range(u):
                s = _minus(s, _times(_get(factor[k], u), _get(factor[k], v)))
            factor[u, v, 0], factor[u, v, 1] = s
        s = _get(factor[v], v)
        for u in range(v):
            f = _over(_get(factor[u], v), _get(d, u))
            s = _minus(s, _times(f, _get(factor[u], v)))
            factor[u, v, 0], factor[u, v, 1] = f
        if v < n_var - 1:
            whole = factor[v, v, 0]
            constant = not whole > centre[v, 0] * centre[v, 0] * n * CONSTANT
            if constant or not s[0] > RANK_TOLERANCE * RANK_TOLERANCE * whole:
                independent = False
                s = (1.0, 0.0)
        d[v, 0], d[v, 1] = s
    return independent


@kernel
def _coefficients(factor, centre, out):  # type: ignore[no-untyped-def]
    """Betas to `out`, by back-substitution; return alpha."""
    k_all = factor.shape[0] - 1
    alpha = _get(centre, k_all)
    for i in range(k_all - 1, -1, -1):
        b = _get(factor[i], k_all)
        for k in range(i + 1, k_all):
            b = _minus(b, _times(_get(factor[i], k), _get(factor[k], k_all)))
        factor[i, k_all, 0], factor[i, k_all, 1] = b
        out[i] = b[0]
        alpha = _minus(alpha, _times(b, _get(centre, i)))
    return alpha[0]


@kernel
def _root(factor, d, centre, n, root):  # type: ignore[no-untyped-def]
    """Inverse of D^(1/2) L' to `root`; return the square of alpha's error over the variance."""
    k_all = len(root)
    for i in range(k_all):
        for k in range(i + 1, k_all):  # row i of the inverse of L', in place
            s = _get(factor[i], k)
            for m in range(i + 1, k):
                s = _plus(s, _times(_get(factor[m], k), _get(factor[i], m)))
            factor[i, k, 0], factor[i, k, 1] = -s[0], -s[1]
    spread = 1.0 / n
    for k in range(k_all):
        length = np.sqrt(d[k, 0])
        along = 0.0
        for i in range(k_all):
            root[i, k] = factor[i, k, 0] / length if i < k else 0.0
        root[k, k] = 1.0 / length
        for i in range(k + 1):
            along += root[i, k] * centre[i, 0]
        spread += along * along
    return spread
