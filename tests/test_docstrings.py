"""Every public function documents its parameters, its result, and shows an example."""

import inspect

import pytest
from numpydoc import docscrape, validate

import xfactor

PUBLIC = [n for n in xfactor.__all__ if callable(getattr(xfactor, n))]
FUNCTIONS = [n for n in PUBLIC if inspect.isfunction(getattr(xfactor, n))]
PLOTS = [n for n in xfactor.plot.__all__ if callable(getattr(xfactor.plot, n))]

# Parameters not documented, documented but not there, in another order; no Returns section.
CODES = {"PR01", "PR02", "PR03", "RT01"}

# No bad input that they refuse: none so far.
NEVER_RAISE: set[str] = set()

# Plain bookkeeping: nobody's formula, so nobody to refer to.
NO_SOURCE = {
    # Panels on disk and in memory.
    "add_fields", "append_panel", "check_panel", "check_panel_store", "compute", "gc_panel_store",
    "get_pricing", "open_panel", "panel_info", "plan", "rechunk_panel", "store_history", "summary",
    "symbols", "update_panel", "write_panel",
    # Moving, filling, counting, adding up.
    "age", "coverage", "diff", "ffill", "fillna", "lag", "portfolio_returns", "rebalance_dates",
    "rolling_median", "rolling_sum",
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring__names_every_parameter_and_the_result(name):
    found = validate.validate(f"xfactor.{name}")["errors"]
    assert not [text for code, text in found if code in CODES]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring__shows_an_example_that_doctest_runs(name):
    doc = docscrape.FunctionDoc(getattr(xfactor, name))
    assert any(line.startswith(">>> ") for line in doc["Examples"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring__says_which_errors_are_raised_and_when(name):
    found = docscrape.FunctionDoc(getattr(xfactor, name))["Raises"]
    assert bool(found) != (name in NEVER_RAISE)
    assert all(error.type and error.desc for error in found)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring__names_the_source_unless_there_is_none(name):
    doc = docscrape.FunctionDoc(getattr(xfactor, name))
    assert bool(doc["References"]) != (name in NO_SOURCE)


def test_exceptions_to_the_rules__are_public_functions():
    assert (NEVER_RAISE | NO_SOURCE) <= set(FUNCTIONS)


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring__has_a_summary_of_one_line(name):
    first = inspect.getdoc(getattr(xfactor, name)).splitlines()
    assert first[0].endswith(".")
    assert len(first) == 1 or first[1] == ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signature__is_typed_and_takes_options_by_keyword(name):
    signature = inspect.signature(getattr(xfactor, name))
    assert signature.return_annotation is not inspect.Signature.empty
    for p in signature.parameters.values():
        assert p.annotation is not inspect.Parameter.empty
        assert p.kind is not inspect.Parameter.VAR_KEYWORD
        if p.name in ("dim", "where", "window", "min_obs", "ddof", "method"):
            assert p.kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("name", PLOTS)
def test_docstring_of_a_plot__is_complete_and_shows_an_example(name):
    found = validate.validate(f"xfactor.plot.{name}")["errors"]
    assert not [text for code, text in found if code in CODES]
    doc = docscrape.FunctionDoc(getattr(xfactor.plot, name))
    assert any(line.startswith(">>> ") for line in doc["Examples"])
