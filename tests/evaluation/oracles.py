"""Naive twins of the evaluation: loops over dates, groups and names; scipy for correlations."""

import math
import warnings

import numpy as np
import scipy.stats

from tests import oracles

NAN = math.nan


def cells(x, codes, group):
    """Columns of a row that have a signal, of one group or of all."""
    return [j for j, v in enumerate(x) if math.isfinite(v) and (codes is None or codes[j] == group)]


def correlation(a, b, method="spearman", weights=None):
    """Of two lists without missing values."""
    if len(a) < 2 or len(set(a)) < 2 or len(set(b)) < 2:
        return NAN
    if method == "spearman" and weights is None:
        return scipy.stats.spearmanr(a, b).statistic
    if method == "spearman":
        a, b = scipy.stats.rankdata(a), scipy.stats.rankdata(b)
    w = np.ones(len(a)) if weights is None else np.array(weights)
    a, b = (np.array(v) - np.average(v, weights=w) for v in (a, b))
    return (w * a * b).sum() / math.sqrt((w * a * a).sum() * (w * b * b).sum())


def ic(x, y, codes=None, group=0, weights=None, method="spearman", min_obs=2):
    """Correlation of one date and group, and the pairs that entered."""
    pairs = [j for j in cells(x, codes, group) if math.isfinite(y[j])]
    if weights is not None:
        pairs = [j for j in pairs if math.isfinite(weights[j]) and weights[j] > 0]
    if len(pairs) < min_obs:
        return NAN, 0
    w = None if weights is None else [weights[j] for j in pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant input
        found = correlation([x[j] for j in pairs], [y[j] for j in pairs], method, w)
    return found, len(pairs)


def labels(x, names, codes, group, bins, method):
    """Buckets of the cells of one group; -1 elsewhere."""
    own = cells(x, codes, group)
    row = [x[j] if j in own else NAN for j in range(len(x))]
    return oracles.qcut(row, *([names] if method == "rank" else []), bins=bins, method=method)


def bucket_returns(x, y, names, codes, group, bins, method, min_names=1):
    """Mean return and names with one of each bucket of one date."""
    label = labels(x, names, codes, group, bins, method)
    means, counts = [], []
    for b in range(bins):
        known = [y[j] for j in range(len(x)) if label[j] == b and math.isfinite(y[j])]
        enough = len(known) >= min_names
        means.append(float(np.mean(known)) if enough else NAN)
        counts.append(len(known) if enough else 0)
    return means, counts


def turnover(now, before, bins):
    """Share of new names in the set of each bucket."""
    out = []
    for b in range(bins):
        members = {j for j, k in enumerate(now) if k == b}
        were = {j for j, k in enumerate(before) if k == b}
        known = any(k >= 0 for k in before) and members
        out.append(len(members - were) / len(members) if known else NAN)
    return out


def event(labels, returns, t, step, bucket):
    """Mean return at t + step, and mean compound return from t, of the names of a bucket at t."""
    at = t + step
    members = [j for j, k in enumerate(labels[t]) if k == bucket]
    if not 0 <= at < len(returns):
        return NAN, NAN
    single = [returns[at][j] for j in members if math.isfinite(returns[at][j])]
    compound = []
    for j in members:
        stretch = [returns[i][j] for i in range(min(t, at) + 1, max(t, at) + 1)]
        growth = math.prod(max(1 + v, 0.0) if math.isfinite(v) else NAN for v in stretch)
        growth = 1 / growth if step < 0 and growth else (NAN if step < 0 else growth)
        compound += [growth - 1] if math.isfinite(growth) else []
    return tuple(float(np.mean(v)) if v else NAN for v in (single, compound))
