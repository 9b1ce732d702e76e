"""Settings of the robust regression."""

from dataclasses import dataclass

from xfactor import panel


@dataclass(frozen=True)
class Huber:
    """Huber's regression: large residuals count by their size, not by its square.

    Parameters
    ----------
    k
        Residuals up to k scales count in full; those beyond get the weight k / |u|. 1.345 has
        95 % of the efficiency of least squares if the errors are normal.
    tolerance
        A date has settled when no fitted value moves by more than this share of the scale.
    max_iterations
        A date that has not settled after these is missing; so is, mostly, one on which more than
        half of the residuals are 0, stale prices for example: it has no scale.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=30, assets=40, seed=1)
    >>> size = xf.standardize(panel.market_cap).rename("size")
    >>> xf.cross_sectional_ols(panel.returns, size, robust=xf.Huber(k=2.0)).attrs["robust"]
    'Huber(k=2.0)'
    """

    k: float = 1.345
    tolerance: float = 1e-8
    max_iterations: int = 50

    def __post_init__(self) -> None:
        for name in ("k", "tolerance"):
            if not panel.number(name, getattr(self, name)) > 0:
                found = f"{name}={getattr(self, name)!r} was given"
                raise panel.error(found, "a positive number", "Use Huber()")
        panel.positive("max_iterations", self.max_iterations)
