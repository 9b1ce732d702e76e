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

    Raises
    ------
    PanelError
        If `k` or `tolerance` is no number above 0, or `max_iterations` no whole number of at
        least 1.

    References
    ----------
    Huber, P. (1964). Robust estimation of a location parameter. Annals of Mathematical Statistics
    35, 73-101.

    Huber, P. (1981). Robust Statistics. Wiley, sections 7.6 and 7.8.

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
