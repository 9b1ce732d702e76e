"""The Containerfile: it parses, names files there are, and its install command works."""

import re
import shutil
import sys

import pytest

from tests.cluster.tools import CLUSTER, ROOT, run
from xfactor.cli.cluster import ALLOCATOR

FILE = CLUSTER / "Containerfile"
TEXT = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE))


def instructions(name):
    return re.findall(rf"^{name} (.*)$", TEXT, flags=re.MULTILINE)


def copied():
    """(source, target) of each file or folder that is taken from here."""
    for words in map(str.split, instructions("COPY")):
        if not words[0].startswith("--"):
            yield from ((source, words[-1]) for source in words[:-1])


def test_container__the_official_parser_reads_it():
    dockerfile = pytest.importorskip("dockerfile")
    commands = [c.cmd for c in dockerfile.parse_file(str(FILE))]
    assert commands.count("FROM") == 2
    assert len(commands) == len(re.findall(r"^[A-Z]+ ", TEXT, flags=re.MULTILINE))


def test_container__takes_only_files_there_are():
    assert all((ROOT / source).exists() for source, _ in copied())


def test_container__both_stages_have_one_base_and_nobody_is_root():
    bases = [line.split()[0] for line in instructions("FROM")]
    assert bases == ["docker.io/library/python:3.12-slim"] * 2
    assert instructions("USER") == ["1000:1000"]
    assert instructions("HEALTHCHECK") == ["NONE"]


def test_container__workers_get_memory_as_those_of_the_commands():
    words = [pair.split("=") for line in instructions("ENV") for pair in line.split()]
    assert {name: value for name, value in words if name in ALLOCATOR} == ALLOCATOR


@pytest.mark.slow
def test_container__its_install_command_works_on_what_it_copies(tmp_path):
    source, venv = tmp_path / "src", tmp_path / "venv"
    source.mkdir()
    for name, target in copied():
        if target.startswith("./"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, source / name)
    install = instructions("RUN")[0].replace("/opt/venv", str(venv))
    install = re.sub(r"^python\b", sys.executable, install)
    status, text = run("sh", "-ec", f"cd {source} && {install}", timeout=500)
    assert status == 0, text
    for words in (["xfactor", "--version"], ["dask", "worker", "--version"]):
        status, text = run(venv / "bin" / words[0], *words[1:], PYTHONPATH="")
        assert status == 0, text
    code = "import xfactor, bokeh, distributed, obstore; print(xfactor.__file__)"
    status, text = run(venv / "bin" / "python", "-I", "-c", code)
    assert status == 0, text
    assert text.startswith(str(venv))
