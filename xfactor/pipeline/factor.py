"""Numbers: the terms with most of the methods."""

from fractions import Fraction
from typing import Any, Literal, Self

from xfactor import panel
from xfactor.pipeline import _rules
from xfactor.pipeline._operators import Arithmetic
from xfactor.pipeline._term import (
    CLASSIFIER,
    FACTOR,
    FILTER,
    MADE,
    Made,
    Term,
    check_kind,
    check_mask,
    constant,
    is_term,
    make,
)

PERIODS = ("year_start", "quarter_start", "month_start", "week_start")


class Factor(Arithmetic):
    """A number per date and asset, described: arithmetic, comparisons, ranks, statistics.

    Comparisons with ``<``, ``<=``, ``>``, ``>=``, ``!=`` and `eq` give Filters; arithmetic and the
    functions of NumPy (`log`, `sqrt`, ...) give Factors. `mask` is a Filter: other assets do not
    enter the statistic, and are missing in the result. `groupby` is a Classifier: each of its
    groups is treated by itself. Infinite values count as missing in statistics.
    """

    def __getitem__(self, asset: Any) -> Any:
        """The series of one asset, to be a target of regressions or to stand in arithmetic."""
        rule = _rules.OneAsset(asset)
        return make(FACTOR, rule, [self], f"[{asset!r}]", per_date=True)

    # --- across the assets of each date ---------------------------------------------------------

    def rank(
        self,
        method: Literal["ordinal", "average", "min", "max", "dense"] = "ordinal",
        ascending: bool = True,
        mask: Any = None,
        groupby: Any = None,
    ) -> Any:
        """Ranks, 1 for the smallest; see `xfactor.rank`. Ties of "ordinal" are in label order."""
        panel.choice("method", method, ("ordinal", "average", "min", "max", "dense"))
        options = {"method": method, "ascending": panel.flag("ascending", ascending)}
        said = [] if method == "ordinal" else [method]
        text = ", ".join(said if ascending else [*said, "descending"])
        return self._across("rank", mask, groupby, options, text=f"rank({text})")

    def demean(self, mask: Any = None, groupby: Any = None) -> Any:
        """Differences from the mean; see `xfactor.demean`."""
        return self._across("demean", mask, groupby)

    def zscore(self, mask: Any = None, groupby: Any = None) -> Any:
        """Z-scores, with ddof 0; see `xfactor.zscore`. A constant date has none."""
        return self._across("zscore", mask, groupby)

    def winsorize(
        self, min_percentile: float, max_percentile: float, mask: Any = None, groupby: Any = None
    ) -> Any:
        """Values beyond two fractions in [0, 1] pulled in; see `xfactor.winsorize`."""
        low = panel.number("min_percentile", min_percentile)
        high = panel.number("max_percentile", max_percentile)
        if not 0 <= low < high <= 1:
            raise panel.error(
                f"min_percentile={low!r} and max_percentile={high!r} were given",
                "0 <= min_percentile < max_percentile <= 1",
                "Use fractions, e.g. winsorize(0.01, 0.99)",
            )
        limits = (low, float(1 - Fraction(str(high))))  # 0.1, and not 0.09999999999999998
        text = f"winsorize({low:g}, {high:g})"
        return self._across("winsorize", mask, groupby, {"limits": limits}, text=text)

    def quantiles(self, bins: int, mask: Any = None, groupby: Any = None) -> Any:
        """Classifier: 0 for the lowest of `bins` buckets; see `xfactor.qcut`. Ties do not raise."""
        options = {"bins": panel.positive("bins", bins)}
        text = f"quantiles({bins})"
        return self._across("qcut", mask, groupby, options, kind=CLASSIFIER, text=text)

    def quartiles(self, mask: Any = None, groupby: Any = None) -> Any:
        """Classifier: quantiles of four buckets."""
        return self.quantiles(4, mask, groupby)

    def quintiles(self, mask: Any = None, groupby: Any = None) -> Any:
        """Classifier: quantiles of five buckets."""
        return self.quantiles(5, mask, groupby)

    def deciles(self, mask: Any = None, groupby: Any = None) -> Any:
        """Classifier: quantiles of ten buckets."""
        return self.quantiles(10, mask, groupby)

    def top(self, N: int, mask: Any = None, groupby: Any = None) -> Any:
        """Filter: the `N` assets with the highest values; see `xfactor.top`."""
        return self._end("top", N, mask, groupby)

    def bottom(self, N: int, mask: Any = None, groupby: Any = None) -> Any:
        """Filter: the `N` assets with the lowest values; see `xfactor.bottom`."""
        return self._end("bottom", N, mask, groupby)

    def percentile_between(
        self, min_percentile: float, max_percentile: float, mask: Any = None, groupby: Any = None
    ) -> Any:
        """Filter: values between two percentiles in [0, 100], both included; `xfactor.between`."""
        low = panel.number("min_percentile", min_percentile)
        high = panel.number("max_percentile", max_percentile)
        if not 0 <= low < high <= 100:
            raise panel.error(
                f"min_percentile={low!r} and max_percentile={high!r} were given",
                "0 <= min_percentile < max_percentile <= 100",
                "Use percents, e.g. percentile_between(10, 90)",
            )
        options = {"low": low / 100, "high": high / 100}
        text = f"percentile_between({low:g}, {high:g})"
        return self._across("between", mask, groupby, options, kind=FILTER, text=text)

    def mean(self, mask: Any = None) -> Any:
        """Mean of each date, to stand in arithmetic."""
        return self._summary("mean", mask)

    def stddev(self, mask: Any = None) -> Any:
        """Standard deviation (ddof 0) of each date."""
        return self._summary("stddev", mask)

    def max(self, mask: Any = None) -> Any:
        """Largest value of each date."""
        return self._summary("max", mask)

    def min(self, mask: Any = None) -> Any:
        """Smallest value of each date."""
        return self._summary("min", mask)

    def median(self, mask: Any = None) -> Any:
        """Median of each date."""
        return self._summary("median", mask)

    def sum(self, mask: Any = None) -> Any:
        """Sum of each date; missing where nothing is valid."""
        return self._summary("sum", mask)

    def notnull_count(self, mask: Any = None) -> Any:
        """How many values of each date are valid."""
        return self._summary("notnull_count", mask)

    # --- one value at a time --------------------------------------------------------------------

    def clip(self, min_bound: float, max_bound: float, mask: Any = None) -> Any:
        """Values pulled in to two bounds."""
        low, high = panel.number("min_bound", min_bound), panel.number("max_bound", max_bound)
        if low > high:
            raise panel.error(
                f"min_bound={low!r} and max_bound={high!r} were given",
                "min_bound <= max_bound",
                "Swap them",
            )
        return self._made(_rules.Clip(low, high), f"clip({low:g}, {high:g})", mask=mask)

    def isnull(self) -> Any:
        """Filter: missing values."""
        return self._made(_rules.Present(missing=True), "isnull", kind=FILTER, invents=True)

    def notnull(self) -> Any:
        """Filter: values that are not missing."""
        return self._made(_rules.Present(), "notnull", kind=FILTER)

    notnan = notnull

    def fillna(self, fill_value: Any) -> Any:
        """Missing values replaced by a number, or by those of another Factor."""
        if is_term(fill_value):
            check_kind(fill_value, FACTOR, "fillna")
            return make(FACTOR, _rules.Fill(None), [self, fill_value], "fillna", invents=True)
        value = constant(fill_value, "fillna")
        return self._made(_rules.Fill(value), f"fillna({value:g})", invents=True)

    def downsample(
        self, frequency: Literal["year_start", "quarter_start", "month_start", "week_start"]
    ) -> Any:
        """The value of the first session of each period, held until the next begins."""
        return downsampled(self, frequency)

    def alias(self, name: str) -> Any:
        """The same, under another name in pictures."""
        return aliased(self, name)

    @property
    def latest(self) -> Self:
        """Itself: the newest value is the value."""
        return self

    # --- along time -----------------------------------------------------------------------------

    def pearsonr(self, target: Any, correlation_length: int, mask: Any = None) -> Any:
        """Correlation with `target` over the last dates; see `RollingPearson`."""
        from xfactor.pipeline.factors import RollingPearson

        return RollingPearson(self, target, correlation_length, mask=mask)

    def spearmanr(self, target: Any, correlation_length: int, mask: Any = None) -> Any:
        """Rank correlation with `target` over the last dates; see `RollingSpearman`."""
        from xfactor.pipeline.factors import RollingSpearman

        return RollingSpearman(self, target, correlation_length, mask=mask)

    def linear_regression(self, target: Any, regression_length: int, mask: Any = None) -> Any:
        """Regression on `target` over the last dates; see `RollingLinearRegression`."""
        from xfactor.pipeline.factors import RollingLinearRegression

        return RollingLinearRegression(self, target, regression_length, mask=mask)

    # --- how they are made ----------------------------------------------------------------------

    def _made(
        self, rule: Any, text: str, *, kind: str = FACTOR, mask: Any = None, invents: bool = False
    ) -> Any:
        per_date = self.per_date and mask is None
        return make(kind, rule, [self], text, mask=mask, invents=invents, per_date=per_date)

    def _across(
        self,
        function: str,
        mask: Any,
        groupby: Any,
        options: dict[str, Any] | None = None,
        *,
        kind: str = FACTOR,
        text: str | None = None,
    ) -> Any:
        self._check_per_asset(function)
        inputs = [self] if groupby is None else [self, check_kind(groupby, CLASSIFIER, function)]
        given = tuple((options or {}).items())
        text = text or f"{function}({', '.join(f'{k}={v!r}' for k, v in given)})"
        return make(kind, _rules.Across(function, given), inputs, text, mask=mask)

    def _end(self, function: str, n: int, mask: Any, groupby: Any) -> Any:
        n = panel.positive("N", n)
        rule = getattr(self, "rule", None)
        plain = rule == _rules.Across("rank", (("method", "ordinal"), ("ascending", True)))
        if plain and mask is None and groupby is None and len(self.inputs) == 1:
            # The ends of that rank are the ends of what was ranked, ties and all: nobody need sort.
            return self.inputs[0]._end(function, n, self.mask, None)
        options = {"n": n}
        return self._across(function, mask, groupby, options, kind=FILTER, text=f"{function}({n})")

    def _check_per_asset(self, function: str) -> None:
        if self.per_date:
            raise panel.error(
                f"{function} was asked of {self}, one number per date",
                "a Factor with a number per asset",
                f"Call {function} before you summarise",
            )

    def _summary(self, function: str, mask: Any) -> Any:
        self._check_per_asset(function)
        check_mask(mask, function)
        rule = _rules.Summary(function)
        return make(FACTOR, rule, [self], function, mask=mask, per_date=True)


def downsampled(term: Term, frequency: str) -> Any:
    """The term's value of the first session of each period."""
    panel.choice("frequency", frequency, PERIODS)
    return HELD[term.kind]._of([term], frequency=frequency, per_date=term.per_date)


def aliased(term: Term, name: str) -> Any:
    """The term under another name."""
    return make(term.kind, _rules.Masked(), [term], str(name), per_date=term.per_date)


HELD: dict[str, Any] = {}


class MadeFactor(Made, Factor):
    """A Factor that a method made."""


MADE[FACTOR] = MadeFactor
