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


def forward_returns(values, periods, skip=0, log=False):
    out = []
    for t in range(len(values)):
        ahead = values[t + 1 + skip : t + 1 + skip + periods]
        growth = math.prod(max(1 + r, 0) for r in ahead)
        if len(ahead) < periods or len(valid(ahead)) < periods or (log and growth == 0):
            out.append(NAN)
        else:
            out.append(math.log(growth) if log else growth - 1)
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
    *[
        case("forward_returns", forward_returns, domain="returns", ahead=True, **options)
        for options in (
            {"periods": 1, "skip": 1}, {"periods": 3, "skip": 2}, {"periods": 2, "skip": 45},
            {"periods": 5, "log": True}, {"periods": 1, "skip": 3, "log": True},
        )
    ],
]  # fmt: skip
