"""Scheduler and workers over SSH, on a server of our own on the loopback."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cluster.tools import (
    CLUSTER,
    ROOT,
    equal,
    free_port,
    has_allocator,
    installed,
    kept,
    run,
    smoke,
)  # fmt: skip

pytestmark = pytest.mark.slow
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An sshd with keys of its own; the machine's keys and settings are not used."""
    pytest.importorskip("asyncssh")
    program = installed("sshd", "openssh-server")
    if program is None:
        pytest.skip("sshd is not there, and could not be installed (needed: root and apt-get)")
    folder = tmp_path_factory.mktemp("sshd")
    port = free_port()
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    algorithm, key = (folder / "host.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[{HOST}]:{port} {algorithm} {key}\n")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress {HOST}\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nSetEnv PYTHONPATH={ROOT}\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where root's sshd keeps no files
    words = [program, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as process:
        yield SimpleNamespace(folder=folder, port=port)
        process.terminate()


def command(server, key="user"):
    files = ("--key", server.folder / key, "--known-hosts", server.folder / "known_hosts")
    options = ("--ssh-port", server.port, "--timeout", "60", "--workers", "2")
    return (sys.executable, CLUSTER / "ssh.py", HOST, HOST, *files, *options)


def test_ssh__the_lecture_is_that_of_threads(server, tmp_path):
    with kept(tmp_path, *command(server)) as address:
        status, text = smoke(address, tmp_path, "--workers", "2")
        assert has_allocator(address)
    assert status == 0, text
    assert equal(text)
    assert "2 workers, 1 thread(s) and 1.86 GiB each" in text
    assert "note" not in text


def test_ssh__who_is_not_let_in_is_told(server):
    status, text = run(*command(server, key="host"))
    assert status == 1
    assert "ssh: no cluster on 127.0.0.1, 127.0.0.1 (Permission denied" in text
