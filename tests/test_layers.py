"""The house: imports point down only, and the heavy names stay where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import xfactor

ROOT = Path(xfactor.__file__).parent

# The part of the package a module belongs to is its first name below `xfactor`.
LAYERS = {
    "panel": 0, "kernels": 0,
    "_inputs": 0.1, "_nbytes": 0.2, "_blocks": 0.2, "_fusion": 0.3, "_schedulers": 0.4,
    "_graph": 0.6, "_plan": 0.7, "_apply": 1, "_scan": 1, "cross_section": 1, "time_series": 1,
    "regression": 2, "portfolios": 2, "risk": 2, "evaluation": 2,
    "pipeline": 3, "plot": 3, "report": 3, "lecture": 3, "text": 3,
    "runs": 4, "testing": 4,
    "cli": 5, "__init__": 6,
}  # fmt: skip

# Beside the layers: what each may import, the upper ones of the layers may import them.
SIDE = {
    "store": {"panel", "kernels", "store", "_schedulers", "_nbytes"},
    "identity": {"panel", "store"},
    "ingest": {"panel", "kernels", "store", "identity", "ingest"},
    "simulate": {"panel", "kernels", "_inputs", "_apply", "_scan", "cross_section", "time_series"},
}
MAY_IMPORT_SIDE = 3

# Sideways imports in one layer, (importer, imported): the reason.
SIDEWAYS = {
    ("cross_section", "_apply"): "the road from labels to kernels",
    ("time_series", "_apply"): "the road from labels to kernels",
    ("time_series", "_scan"): "the same road, for recursions",
    ("risk", "regression"): "exposures and groups are those of its regressions",
    ("portfolios", "regression"): "a hedge is a rolling regression; a performance has its error",
    ("report", "plot"): "lines are thinned and values counted in one way",
    ("report", "lecture"): "its portfolios, and the names that a leg needs",
    ("evaluation", "regression"): "a mean has its error; groups have their labels",
}

DASK = ("_fusion", "_schedulers", "_plan", "_graph", "_apply", "_scan", "store", "ingest", "cli")
KERNELS_KNOW = {"numpy", "numba", "scipy", "xfactor", "__future__"}

MODULES = sorted(p.relative_to(ROOT) for p in ROOT.rglob("*.py"))


def imported(path):
    """Dotted names a module imports, also inside functions; `from a import b` gives a.b."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part(path):
    return path.parts[0].removesuffix(".py")


def parts_imported(path):
    """Parts of xfactor that a module imports."""
    found = {n.split(".")[1] for n in imported(path) if n.startswith("xfactor.")}
    return {p for p in found if p in LAYERS or p in SIDE or p not in vars(xfactor)}


def allowed(importer, target):
    if importer == target:
        return True
    if importer in SIDE:
        return target in SIDE[importer]
    if target in SIDE:
        return LAYERS[importer] >= MAY_IMPORT_SIDE
    if LAYERS[importer] == LAYERS[target]:
        return (importer, target) in SIDEWAYS
    return LAYERS[importer] > LAYERS[target]


each_module = pytest.mark.parametrize("path", MODULES, ids=str)


@each_module
def test_module__has_a_place_in_the_house(path):
    assert part(path) in LAYERS or part(path) in SIDE


@each_module
def test_module__imports_downwards_only(path):
    wrong = {t for t in parts_imported(path) if not allowed(part(path), t)}
    assert not wrong, f"{path} imports {sorted(wrong)}: not below it, nor in SIDEWAYS"


@each_module
def test_module__does_not_import_the_package_itself(path):
    """`import xfactor` inside the package would make every module depend on all."""
    if part(path) not in ("cli", "__main__", "__init__"):
        assert "xfactor" not in imported(path)


@pytest.mark.parametrize("path", [p for p in MODULES if part(p) == "kernels"], ids=str)
def test_kernel__knows_arrays_only(path):
    tops = {n.split(".")[0] for n in imported(path)}
    assert tops <= KERNELS_KNOW | set(sys.stdlib_module_names)


@each_module
def test_dask__is_named_in_few_places(path):
    names = {n.split(".")[0] for n in imported(path)}
    if part(path) not in DASK:
        assert not names & {"dask", "distributed"}


def lines_of_code(text):
    """Lines without those of the docstrings: these are contracts and as long as they must be."""
    n = len(text.splitlines())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            if ast.get_docstring(node) is not None:
                n -= node.body[0].end_lineno - node.body[0].lineno + 1
    return n


# Longer than the rule: the primitives stay in one file because they share every helper.
LONG = {"_apply.py": 500}


@each_module
def test_module__is_short_enough_to_read(path):
    n = lines_of_code((ROOT / path).read_text())
    assert n <= LONG.get(str(path), 300), f"{path} has {n} lines beside its docstrings"


def test_allow_tables__are_not_stale():
    pairs = {(part(p), t) for p in MODULES for t in parts_imported(p)}
    present = {part(p) for p in MODULES}
    stale = {pair for pair in SIDEWAYS if set(pair) <= present and pair not in pairs}
    assert not stale
    assert all((ROOT / name).exists() for name in LONG)


HEAVY = ("matplotlib", "pyarrow", "distributed", "statsmodels", "IPython")


def test_import__is_light():
    """Nothing that only plots, clusters or files need; each would cost every worker its start.

    What the data libraries load by themselves (pandas takes pyarrow where it finds it) is not ours.
    """
    code = (
        "import sys, numba, scipy, pandas, dask.array, xarray, zarr; "
        f"before = set(sys.modules); import xfactor; "
        f"print([m for m in {HEAVY} if m in sys.modules and m not in before])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=ROOT.parent, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_public_names__exist_and_are_sorted():
    assert list(xfactor.__all__) == sorted(xfactor.__all__)
    assert all(hasattr(xfactor, name) for name in xfactor.__all__)


def test_package__gives_its_modules_at_first_use():
    assert xfactor.lecture.FACTORS[0] == "market"
    assert callable(xfactor.plot.cumulative)
    with pytest.raises(AttributeError, match="no attribute 'lectures'"):
        _ = xfactor.lectures
