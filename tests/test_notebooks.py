"""The notebooks run from clean, and are kept without outputs."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells(path, kind):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == kind]


def test_notebooks__are_numbered_without_a_gap():
    numbers = [path.stem.split("_")[0] for path in NOTEBOOKS]
    assert numbers == [f"{k:02}" for k in range(1, len(NOTEBOOKS) + 1)]
    assert len(NOTEBOOKS) >= 7


# The client talks to a kernel process of its own: warnings of its sockets are not ours.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook__runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    # What a notebook writes goes to its own folder, and with it.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}})
    client.execute()
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert any("image/png" in o.get("data", {}) for o in outputs)
    said = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stderr")
    assert "Warning:" not in said, said


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook__is_stored_without_outputs(path):
    assert all(not c.outputs and c.execution_count is None for c in cells(path, "code"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook__opens_with_a_title_and_says_which_kernel(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)  # cell ids, among others
    assert notebook.metadata.kernelspec.name == "python3"
    title = cells(path, "markdown")[0].source
    assert title.startswith(f"# {int(path.stem[:2])}. ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook__has_no_wall_of_text(path):
    longest = max((c.source for c in cells(path, "markdown")), key=lambda s: len(s.split()))
    assert len(longest.split()) <= 150, longest
