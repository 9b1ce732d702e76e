"""Values of other dates: naive twins of one asset's history, and the table of cases."""

import math

from tests.oracles import NAN, valid
from tests.time_series.cases import case


def lag(values, periods):
    return [values[t - periods] if t >= periods else NAN for t in range(len(values))]


def returns(values, periods):
    out = []
    for t, new in enumerate(values):
        old = values[t - periods] if t >= periods else NAN
        known = math.isfinite(new) and math.isfinite(old) and old > 0 and new >= 0
        out.append(new / old - 1 if known else NAN)
    return out


def diff(values, periods):
    out = []
    for t, new in enumerate(values):
        old = values[t - periods] if t >= periods else NAN
        out.append(new - old if len(valid([new, old])) == 2 else NAN)
    return out


def growth(values, periods):
    out = []
    for t, new in enumerate(values):
        old = values[t - periods] if t >= periods else NAN
        known = len(valid([new, old])) == 2 and old != 0
        out.append((new - old) / abs(old) if known else NAN)
    return out


def forward_returns(values, periods):
    out = []
    for t in range(len(values)):
        ahead = values[t + 1 : t + 1 + periods]
        if len(ahead) < periods or len(valid(ahead)) < periods:
            out.append(NAN)
        else:
            out.append(math.prod(max(1 + r, 0) for r in ahead) - 1)
    return out


CASES = [
    *[case("lag", lag, exact=True, moves=True, periods=p) for p in (1, 0, 3, 7, 50)],
    *[case("returns", returns, domain="prices", scaled=False, periods=p) for p in (1, 2, 7, 50)],
    *[case("diff", diff, exact=True, periods=p) for p in (1, 2, 7, 50)],
    *[case("growth", growth, scaled=False, periods=p) for p in (1, 2, 7, 50)],
    *[
        case("forward_returns", forward_returns, domain="returns", ahead=True, periods=p)
        for p in (1, 2, 7, 13, 50)
    ],
]
