"""What the verbs will take, before they run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from xfactor import _plan, lecture
from xfactor._plan import Plan
from xfactor.runs.running import TRUTH, check_fields, lazily
from xfactor.simulate import simulate_panel
from xfactor.store import open_panel

# The libraries that draw, and the pictures, in bytes.
PICTURES = 90_000_000


def planned_lecture(
    store: str | Path,
    *,
    start: Any = None,
    end: Any = None,
    window: int = 100,
    momentum: tuple[int, int] = (252, 21),
    workers: int | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    **legs: Any,
) -> Plan:
    """Predict what `run_lecture` takes on a panel store; nothing is computed.

    Parameters
    ----------
    store, start, end, window, momentum
        As in `run_lecture`.
    workers, threads, memory_limit
        As in `xfactor.plan`.
    **legs
        ``fraction``, ``n`` and ``min_names`` of `run_lecture`.

    Returns
    -------
    Plan
        Of the one pass over the store that all is made in.

    Raises
    ------
    PanelError
        If the store or a field is missing, or the history is too short.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> from xfactor import runs
    >>> panel, truth = xf.simulate_panel(dates=400, assets=60, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     planned = runs.planned_lecture(path, memory_limit=10**9, threads=1)
    >>> planned.fits
    True
    """
    fields = open_panel(store, start=start, end=end)
    check_fields(fields, store, momentum, window)
    made = lazily(fields, None, None, window, momentum, legs)
    return _with_pictures(
        _plan.plan(made, workers=workers, threads=threads, memory_limit=memory_limit, streamed=True)
    )


def planned_demo(
    dates: int,
    assets: int,
    chunk_dates: int,
    *,
    workers: int | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
) -> Plan:
    """Predict what `run_demo` takes; nothing is simulated.

    Parameters
    ----------
    dates, assets, chunk_dates
        As in `run_demo`.
    workers, threads, memory_limit
        As in `xfactor.plan`.

    Returns
    -------
    Plan
        Of the step that takes most: to simulate, or the lecture.

    Examples
    --------
    >>> from xfactor import runs
    >>> runs.planned_demo(400, 20, 128, threads=2).threads
    2
    """
    panel, truth = simulate_panel(dates=dates, assets=assets, chunk_dates=chunk_dates)
    check_fields(panel, "the demo", (252, 21), 100)
    legs = {"fraction": 0.2, "n": None, "min_names": lecture.MIN_NAMES}
    stored, known = map(_plan.as_stored, (panel, truth))
    steps = [panel, truth[list(TRUTH)], lazily(stored, None, known, 100, (252, 21), legs)]
    plans = [
        _plan.plan(step, workers=workers, threads=threads, memory_limit=memory_limit, streamed=True)
        for step in steps
    ]
    return _with_pictures(max(plans, key=lambda p: p.peak_bytes))


def _with_pictures(plan: Plan) -> Plan:
    """On threads the same process draws; a cluster's workers do not."""
    return plan if plan.workers else replace(plan, peak_bytes=plan.peak_bytes + PICTURES)
