"""Tests of residuals: sums over a stretch of dates, how two stretches join, what the whole says.

Every column is divided by a power of two, the size of its largest value in the stretch, so that
fourth powers neither overflow nor vanish and no digit is lost. A stretch is (exponents, sums);
two of them meet in the larger size. Means are kept as a pivot, the first value known, and the mean
distance from it: a constant column has exact zeros for deviations, a high level costs no digits.
"""

import numpy as np
from scipy.special import chdtrc

from xfactor.kernels._compile import kernel

Stretch = tuple[np.ndarray, np.ndarray]

LANES = 64  # columns worked on together, so that their lags stay in the L1 cache
LOWEST = -1020  # exponent of a column without a value: anything is larger; its inverse is finite


def exponents(x: np.ndarray) -> np.ndarray:
    """Exponents (...) of powers of two that the finite values of x (date, ...) do not reach."""
    size = np.abs(x, dtype=np.float64)
    size[~(size < np.inf)] = 0.0
    peak = size.max(axis=0, initial=0.0)
    return np.where(peak > 0.0, np.clip(np.frexp(peak)[1], LOWEST, -LOWEST), LOWEST)


def _in_one_size(
    a: Stretch, b: Stretch, degree: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both sums (row, n) in the larger of the two sizes; `degree` (row,) is the power they have."""
    larger = np.maximum(a[0], b[0])
    sums = [np.ldexp(sums, degree[:, None] * (size - larger)) for size, sums in (a, b)]
    return larger, sums[0], sums[1]


def plain(x: np.ndarray) -> np.ndarray:
    """Values as the kernels are compiled for: one signature."""
    return np.require(x, np.float64, ["C", "W"])


# --- the distribution: Jarque and Bera ------------------------------------------------------------

MOMENTS = np.array([0, 1, 1, 2, 3, 4])  # count, pivot, shift, and sums of powers of deviations


def moment_sums(x: np.ndarray, *, offset: int, start: int, stop: int) -> Stretch:
    """Count, mean and central powers up to the fourth of rows start:stop of x (date, n)."""
    x = plain(x[start:stop])
    size = exponents(x)
    unit = np.ldexp(1.0, -size)
    sums = np.zeros((len(MOMENTS), x.shape[1]))
    _means(x, unit, 0, sums)
    _powers(x, unit, sums)
    return size, sums


@kernel
def _means(x, unit, start, out):  # type: ignore[no-untyped-def]
    """Rows of `out`: count, pivot, mean less the pivot, of the rows of x from `start` on."""
    for t in range(start, x.shape[0]):
        for j in range(x.shape[1]):
            z = x[t, j] * unit[j]
            known = z - z == 0.0
            pivot = z if known and out[0, j] == 0.0 else out[1, j]
            out[1, j] = pivot
            out[0, j] += 1.0 if known else 0.0
            out[2, j] += z - pivot if known else 0.0
    for j in range(x.shape[1]):
        out[2, j] /= out[0, j] if out[0, j] > 0.0 else 1.0


@kernel
def _powers(x, unit, out):  # type: ignore[no-untyped-def]
    for t in range(x.shape[0]):
        for j in range(x.shape[1]):
            d = (x[t, j] * unit[j] - out[1, j]) - out[2, j]
            d = d if d - d == 0.0 else 0.0
            out[3, j] += d * d
            out[4, j] += d * d * d
            out[5, j] += (d * d) * (d * d)


def merge_moments(a: Stretch, b: Stretch) -> Stretch:
    """Join two stretches (Pebay 2008, equations 2.1 and following)."""
    size, a_sums, b_sums = _in_one_size(a, b, MOMENTS)
    n_a, a2, a3, a4 = a_sums[[0, 3, 4, 5]]
    n_b, b2, b3, b4 = b_sums[[0, 3, 4, 5]]
    n, gap = _gap(a_sums, b_sums)
    p, q = n_a / n, n_b / n
    g2, pq = gap * gap, n_a * q
    m2 = a2 + b2 + g2 * pq
    m3 = a3 + b3 + gap * g2 * pq * (p - q) + 3.0 * gap * (p * b2 - q * a2)
    m4 = a4 + b4 + g2 * g2 * pq * (p * p - p * q + q * q)
    m4 += 6.0 * g2 * (p * p * b2 + q * q * a2) + 4.0 * gap * (p * b3 - q * a3)
    pivot, shift = _joined_mean(a_sums, b_sums, gap * q)
    return size, np.stack([n_a + n_b, pivot, shift, m2, m3, m4])


def _gap(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count of both, at least 1, and how far b's mean is above a's, 0 if one of them has none.

    The difference of the pivots is taken first: at a high level rounded means have lost what
    tells them apart.
    """
    gap = (b[1] - a[1]) + (b[2] - a[2])
    return np.maximum(a[0] + b[0], 1.0), np.where((a[0] > 0) & (b[0] > 0), gap, 0.0)


def _joined_mean(
    a: np.ndarray, b: np.ndarray, further: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pivot and shift of both; `further` is the way from a's mean."""
    return np.where(a[0] > 0, a[1], b[1]), np.where(a[0] > 0, a[2] + further, b[2])


def jarque_bera(total: Stretch) -> tuple[np.ndarray, ...]:
    """Statistic, p-value, skewness, kurtosis, count; missing where the variance is 0."""
    n, _, _, m2, m3, m4 = total[1]
    spread = np.where(m2 > 0.0, m2, np.nan) / np.maximum(n, 1.0)
    skewness = m3 / n_or_nan(n) / (spread * np.sqrt(spread))
    kurtosis = m4 / n_or_nan(n) / (spread * spread)
    excess = kurtosis - 3.0
    statistic = n / 6.0 * (skewness * skewness + excess * excess / 4.0)
    return statistic, chdtrc(2.0, statistic), skewness, kurtosis, n


def n_or_nan(n: np.ndarray) -> np.ndarray:
    """Counts to divide by."""
    return np.where(n > 0.0, n, np.nan)


# --- autocorrelation: Durbin and Watson, Ljung and Box --------------------------------------------

DIFFERENCES = np.array([0, 0, 2, 2])  # count, pairs, squares, squared differences


def difference_sums(x: np.ndarray, *, offset: int, start: int, stop: int) -> Stretch:
    """Sums of squares and of squared differences of neighbours, for rows start:stop."""
    x = plain(x[:stop])
    size = exponents(x)
    sums = np.zeros((len(DIFFERENCES), x.shape[1]))
    _differences(x, np.ldexp(1.0, -size), start, sums)
    return size, sums


@kernel
def _differences(x, unit, start, out):  # type: ignore[no-untyped-def]
    for t in range(start, x.shape[0]):
        for j in range(x.shape[1]):
            z = x[t, j] * unit[j]
            before = x[t - 1, j] * unit[j] if t > 0 else np.nan
            d = z - before
            out[0, j] += 1.0 if z - z == 0.0 else 0.0
            out[1, j] += 1.0 if d - d == 0.0 else 0.0
            out[2, j] += z * z if z - z == 0.0 else 0.0
            out[3, j] += d * d if d - d == 0.0 else 0.0


def merge_differences(a: Stretch, b: Stretch) -> Stretch:
    """Join two stretches."""
    size, a_sums, b_sums = _in_one_size(a, b, DIFFERENCES)
    return size, a_sums + b_sums


def durbin_watson(total: Stretch) -> tuple[np.ndarray, ...]:
    """Statistic and count; missing without a pair of neighbours or if all is 0."""
    n, pairs, squares, differences = total[1]
    mean = differences / n_or_nan(pairs) * (n - 1.0)
    return mean / np.where(squares > 0.0, squares, np.nan), n


def lag_sums(x: np.ndarray, *, lags: int, offset: int, start: int, stop: int) -> Stretch:
    """Count, pivot, shift, squares; then for each lag its pairs, their sums and their products.

    All are about the mean of rows start:stop, in which the later of a pair is; the earlier may be
    before `start`.
    """
    x = plain(x[:stop])
    size = exponents(x)
    unit = np.ldexp(1.0, -size)
    sums = np.zeros((4 + 3 * lags, x.shape[1]))
    _means(x, unit, start, sums)
    _pairs(x, unit, start, lags, sums)
    return size, sums


@kernel
def _pairs(x, unit, start, lags, out):  # type: ignore[no-untyped-def]
    n_rows, n = x.shape
    d = np.empty((n_rows, LANES))
    known = np.empty((n_rows, LANES))
    for left in range(0, n, LANES):
        width = min(LANES, n - left)
        for t in range(n_rows):
            for j in range(width):
                z = (x[t, left + j] * unit[left + j] - out[1, left + j]) - out[2, left + j]
                known[t, j] = 1.0 if z - z == 0.0 else 0.0
                d[t, j] = z if z - z == 0.0 else 0.0
        for t in range(start, n_rows):
            for j in range(width):
                out[3, left + j] += d[t, j] * d[t, j]
            for k in range(min(lags, t)):
                at = 4 + 3 * k
                before = t - 1 - k
                for j in range(width):
                    both = known[t, j] * known[before, j]
                    out[at, left + j] += both
                    out[at + 1, left + j] += both * (d[t, j] + d[before, j])
                    out[at + 2, left + j] += d[t, j] * d[before, j]


def merge_lags(a: Stretch, b: Stretch) -> Stretch:
    """Join two stretches: both move to the mean of all."""
    lags = (len(a[1]) - 4) // 3
    degree = np.concatenate([[0, 1, 1, 2], np.tile([0, 1, 2], lags)])
    size, a_sums, b_sums = _in_one_size(a, b, degree)
    n, gap = _gap(a_sums, b_sums)
    n_a, n_b = a_sums[0], b_sums[0]
    pivot, shift = _joined_mean(a_sums, b_sums, gap * (n_b / n))
    squares = a_sums[3] + b_sums[3] + gap * gap * (n_a * n_b / n)
    moved = _moved(a_sums[4:], -gap * (n_b / n)) + _moved(b_sums[4:], gap * (n_a / n))
    return size, np.concatenate([np.stack([n_a + n_b, pivot, shift, squares]), moved])


def _moved(pairs: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Sums of pairs of deviations each of which grows by `by`."""
    count, total, products = pairs[0::3], pairs[1::3], pairs[2::3]
    moved = np.empty_like(pairs)
    moved[0::3] = count
    moved[1::3] = total + 2.0 * by * count
    moved[2::3] = products + by * total + by * by * count
    return moved


def ljung_box(total: Stretch, *, model_dof: int) -> tuple[np.ndarray, ...]:
    """Statistic, p-value, count; missing if a lag has no pair or the variance is 0."""
    n, squares = total[1][0], total[1][3]
    variance = np.where(squares > 0.0, squares, np.nan)
    statistic = np.zeros_like(n)
    lags = (len(total[1]) - 4) // 3
    for k in range(lags):  # in this order, whatever the number of columns
        correlation = total[1][6 + 3 * k] / variance
        statistic += correlation * correlation / n_or_nan(total[1][4 + 3 * k])
    statistic *= n * (n + 2.0)
    return statistic, chdtrc(float(lags - model_dof), statistic), n
