"""A naive twin of `rebalance`: accounts with money in them, name by name and date by date."""

import math

NAN = math.nan


class Fund:
    """Money in names, and the rest in cash."""

    def __init__(self, money, capital):
        self.money = dict(money)
        self.cash = capital - sum(money.values())

    def value(self):
        return sum(self.money.values()) + self.cash

    def scale(self, factor):
        self.money = {j: m * factor for j, m in self.money.items()}
        self.cash *= factor

    def take_out(self, gone, spread):
        """Pay out names; spread what they were over the others of the leg, or keep it as cash."""
        for sign in (1, -1):
            leg = {j: m for j, m in self.money.items() if sign * m > 0}
            paid = sum(m for j, m in leg.items() if j in gone)
            stay = sum(m for j, m in leg.items() if j not in gone)
            for j, m in leg.items():
                if j in gone:
                    self.money[j] = 0.0
                elif spread and stay:
                    self.money[j] = m * (1 + paid / stay)
            if not (spread and stay):
                self.cash += paid

    def earn(self, returns):
        """Growth of the fund; one of which nothing is left is an empty one from then on."""
        before = self.value()
        self.money = {j: m * max(1 + returns[j], 0) for j, m in self.money.items()}
        growth = self.value() / before if before > 0 else 1.0
        if growth <= 0:
            self.lose()
        return growth

    def lose(self):
        self.money, self.cash = dict.fromkeys(self.money, 0.0), 1.0


class Cohort:
    """One account (`value`), or a fund for each leg whose size stays."""

    def __init__(self, target, legs):
        known = {j: w for j, w in enumerate(target) if math.isfinite(w)}
        self.present, self.legs, self.share = bool(known), legs, 0.0
        if legs:
            self.funds = []
            for sign in (1, -1):
                leg = {j: sign * w for j, w in known.items() if sign * w > 0}
                self.funds.append((sign, sum(leg.values()), Fund(leg, sum(leg.values()))))
        else:
            self.funds = [(1, 1.0, Fund(known, 1.0))]

    def weights(self, names):
        """Weights for a whole share of the capital."""
        out = [0.0] * names
        for sign, size, fund in self.funds:
            for j, m in fund.money.items():
                out[j] += sign * m * size / fund.value() if fund.value() > 0 else 0.0
        return out

    def earn(self, returns):
        growth = [fund.earn(returns) for _, _, fund in self.funds]
        return 1.0 if self.legs else growth[0]


def hold(target, returns, trade, listed=None, *, cohorts=1, legs=False, spread=True):
    """Weights held and traded, and for each date gross return, turnover and three counts."""
    names = len(target[0])
    books = [Cohort([NAN] * names, legs) for _ in range(cohorts)]
    youngest = 0
    held, traded, told = [], [], []
    for t, r in enumerate(returns):
        was = [True] * names if listed is None else listed[max(t - 1, 0)]
        before = total(books, names)
        if trade[t]:
            youngest = (youngest + 1) % cohorts
            books[youngest] = Cohort(target[t], legs)
            there = [b for b in books if b.present]
            for b in there:
                b.share = 1 / len(there)
        wanted = [any(b.weights(names)[j] != 0 for b in books if b.present) for j in range(names)]
        gone = {j for j in range(names) if not was[j]}
        for b in books:
            for _, _, fund in b.funds:
                fund.take_out(gone, spread)
        now = total(books, names)
        change = [0.0 if j in gone else now[j] - before[j] for j in range(names)]
        gross, filled, n_obs, missing = earned(now, r)
        there = [b for b in books if b.present]
        for b in there:
            b.share *= b.earn(filled)
        whole = sum(b.share for b in there)
        for b in there:  # a cohort in debt keeps it until the next trade: the others pay
            b.share /= whole if whole > 0 else 1.0
            if whole <= 0:
                b.funds[0][2].lose()
        held.append(now if there else [NAN] * names)
        traded.append(change)
        turnover = sum(map(abs, change)) / 2
        told.append(
            (gross if there else NAN, turnover, n_obs, sum(wanted[j] for j in gone), missing)
        )
    return held, traded, told


def total(books, names):
    every = [[b.share * w for w in b.weights(names)] for b in books if b.present]
    return [sum(w[j] for w in every) for j in range(names)]


def earned(now, r):
    """Return of a date, each name's return with that of its leg where it is missing, counts."""
    gross, silent, filled = 0.0, False, list(r)
    n_obs = sum(w != 0 and math.isfinite(x) for w, x in zip(now, r, strict=True))
    for sign in (1, -1):
        leg = [j for j, w in enumerate(now) if sign * w > 0]
        known = [j for j in leg if math.isfinite(r[j])]
        reached = sum(now[j] for j in known)
        mean = sum(now[j] * r[j] for j in known) / reached if known else 0.0
        silent |= bool(leg) and not known
        gross += sum(now[j] for j in leg) * mean
        for j in range(len(r)):
            if not math.isfinite(r[j]) and (now[j] > 0 if sign > 0 else now[j] <= 0):
                filled[j] = mean
    return NAN if silent else gross, filled, n_obs, sum(w != 0 for w in now) - n_obs
