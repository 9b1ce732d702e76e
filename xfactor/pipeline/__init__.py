"""Quantopian's Pipeline on panels: terms that describe, a pipeline that names them.

Terms are descriptions of a value per date and asset; a pipeline evaluates them by the functions
of `xfactor.cross_section` and `xfactor.time_series`, lazily, on any panel.
"""

from xfactor.pipeline import _held  # noqa: F401  (registers what `downsample` makes)
from xfactor.pipeline.classifier import Classifier
from xfactor.pipeline.custom import CustomClassifier, CustomFactor, CustomFilter
from xfactor.pipeline.data import Column, DataSet, USEquityPricing, field
from xfactor.pipeline.factor import Factor
from xfactor.pipeline.factors import Latest, Returns
from xfactor.pipeline.filter import Filter
from xfactor.pipeline.pipeline import Pipeline, run_pipeline

__all__ = [
    "Classifier",
    "Column",
    "CustomClassifier",
    "CustomFactor",
    "CustomFilter",
    "DataSet",
    "Factor",
    "Filter",
    "Latest",
    "Pipeline",
    "Returns",
    "USEquityPricing",
    "field",
    "run_pipeline",
]
