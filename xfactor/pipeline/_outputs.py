"""Terms of several values per asset, and the terms of one of these."""

from typing import Any

from xfactor.pipeline._term import Term, Value
from xfactor.pipeline.classifier import Classifier
from xfactor.pipeline.factor import Factor
from xfactor.pipeline.filter import Filter


class Several(Term):
    """A term that may have several outputs: each is an attribute, and it unpacks to them."""

    outputs: Any = None

    def __getattr__(self, name: str) -> Any:
        if name in (self.outputs or ()):
            return _output(self, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")

    def __iter__(self) -> Any:
        if not self.outputs:
            raise TypeError(f"{self} has one output.")
        return iter([_output(self, name) for name in self.outputs])


class Output(Term):
    """One of several outputs of a term."""

    selects = True
    name: str

    def label(self) -> str:
        return f".{self.name}"

    def _evaluate(self, values: list[Value], where: Any, step: Any) -> Value:
        return values[0][self.name]


class OutputFactor(Output, Factor):
    """Of numbers."""


class OutputFilter(Output, Filter):
    """Of truths."""


class OutputClassifier(Output, Classifier):
    """Of groups."""


OUTPUTS: dict[str, Any] = {c.kind: c for c in (OutputFactor, OutputFilter, OutputClassifier)}


def _output(term: Term, name: str) -> Any:
    return OUTPUTS[term.kind]._of([term], name=name)
