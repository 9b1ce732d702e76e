"""What cluster/README.md says to type is understood by the scripts, which are all named there."""

import re
import shlex

import pytest

from tests.cluster.tools import CLUSTER, run, script
from xfactor.cli.commands import parser

README = (CLUSTER / "README.md").read_text()
BLOCKS = [t for kind, t in re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL) if not kind]
LINES = "".join(BLOCKS).replace("\\\n", " ").splitlines()
WORDS = [shlex.split(line, comments=True) for line in LINES]


def commands(start):
    return [w for w in WORDS if w[: len(start)] == start]


def test_readme__is_short():
    assert README.count("\n") < 200


def test_readme__names_every_file():
    files = [p.name for p in CLUSTER.iterdir() if p.suffix in (".py", ".sh")]
    missing = {name for name in [*files, "Containerfile"] if f"`{name}`" not in README}
    assert not missing


@pytest.mark.parametrize("name", ["smoke", "ssh", "slurm"])
def test_readme__its_python_commands_parse(name, monkeypatch):
    pytest.importorskip({"ssh": "asyncssh", "slurm": "dask_jobqueue"}.get(name, "distributed"))
    module = script(name)
    found = commands(["python", f"cluster/{name}.py"])
    assert found
    for words in found:
        monkeypatch.setattr("sys.argv", words[1:])
        module.options()


def test_readme__its_xfactor_commands_parse():
    found = commands(["xfactor"])
    assert len(found) == 3
    for words in found:
        parser().parse_args(words[1:])


def test_readme__the_options_of_by_hand_are_there():
    found = commands(["cluster/by_hand.sh"])
    assert len(found) == 4
    script_text = (CLUSTER / "by_hand.sh").read_text()
    for words in found:
        assert words[1] in ("start", "stop")
        assert all(f"{w})" in script_text for w in words if w.startswith("--"))


@pytest.mark.parametrize("name", ["tls.sh", "slurm_one_node.sh", "by_hand.sh"])
def test_readme__a_script_without_arguments_tells_its_usage(name):
    status, text = run(CLUSTER / name)
    assert status == 1
    assert f"cluster/{name}" in text
    assert "set -euo" not in text
