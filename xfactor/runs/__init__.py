"""The verbs that the command line calls: they read stores, compute, and write what they made."""

from xfactor.runs.planning import planned_demo, planned_lecture
from xfactor.runs.results import RESULTS
from xfactor.runs.running import LectureRun, run_demo, run_lecture
from xfactor.runs.truth import truth_beside

__all__ = [
    "RESULTS",
    "LectureRun",
    "planned_demo",
    "planned_lecture",
    "run_demo",
    "run_lecture",
    "truth_beside",
]
