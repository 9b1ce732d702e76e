"""The lecture on jobs of a real Slurm, one of which is cancelled in mid-run."""

import os
import shutil
import subprocess
import sys
import time

import pytest
from distributed import Client

from tests.cluster.tools import (
    CLUSTER,
    environment,
    equal,
    free_port,
    has_allocator,
    kept,
    refused,
    run,
    seven,
)  # fmt: skip

pytestmark = pytest.mark.slow
ONE_NODE = CLUSTER / "slurm_one_node.sh"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """SLURM_CONF of a Slurm that has nothing to do with one that may be installed."""
    pytest.importorskip("dask_jobqueue")
    if not shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin") and os.getuid() != 0:
        pytest.skip("Slurm is not installed, and only root can install it")
    folder = tmp_path_factory.mktemp("slurm")
    try:
        status, text = run(ONE_NODE, "start", folder, free_port(), timeout=1400)
        if "could not install" in text or "nor apt-get" in text:
            pytest.skip(text.strip())
        assert status == 0, text
        yield {"SLURM_CONF": text.strip().rpartition("=")[2]}
    finally:
        assert run(ONE_NODE, "stop", folder, timeout=120) == (0, "stopped\n")


@pytest.fixture
def address(slurm, tmp_path):
    words = (sys.executable, CLUSTER / "slurm.py", "--jobs", "2", "--interface", "lo")
    logs = ("--logs", tmp_path, "--local-directory", tmp_path)
    with kept(tmp_path, *words, *logs, **slurm) as address:
        yield address


def jobs(slurm):
    command = ["squeue", "--noheader", "--format", "%i"]
    done = subprocess.run(
        command, env=environment(**slurm), capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.split()


def in_the_middle(address, timeout):
    """Wait until workers hold results and are at work on others."""
    end = time.monotonic() + timeout
    with Client(address, set_as_default=False) as client:
        while time.monotonic() < end:
            if any(client.has_what().values()) and any(client.processing().values()):
                return
            time.sleep(0.05)
    raise TimeoutError("nothing was computed")


def test_slurm__one_job_cancelled_in_mid_run_changes_no_bit(slurm, address, tmp_path):
    lecture = subprocess.Popen(
        [sys.executable, CLUSTER / "smoke.py", address, "--folder", tmp_path, "--workers", "2",
         "--timeout", "120", "--dates", "640", "--assets", "100", "--chunk-dates", "64"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(**slurm),
    )  # fmt: skip
    with lecture:
        try:
            in_the_middle(address, timeout=180)
            before = jobs(slurm)
            run("scancel", before[0], **slurm)
            text, _ = lecture.communicate(timeout=400)
        finally:
            lecture.kill()
    assert lecture.returncode == 0, text
    assert equal(text)
    assert has_allocator(address)
    assert "meanwhile 1 worker(s) died and 1 came" in text
    after = jobs(slurm)
    assert len(before) == len(after) == 2
    assert before[0] not in after  # another job has taken its place


def test_slurm__jobs_end_with_the_script(slurm):
    end = time.monotonic() + 60
    while jobs(slurm) and time.monotonic() < end:
        time.sleep(0.5)
    assert not jobs(slurm)


def test_slurm__encrypted_jobs_compute(slurm, tmp_path):
    assert run(CLUSTER / "tls.sh", tmp_path / "tls")[0] == 0
    tls = ("--tls", tmp_path / "tls")
    words = (sys.executable, CLUSTER / "slurm.py", "--jobs", "1", "--interface", "lo", *tls)
    with kept(tmp_path, *words, "--logs", tmp_path, **slurm) as address:
        assert address.startswith("tls://")
        config = {"DASK_CONFIG": str(tmp_path / "tls" / "dask.yaml")}
        assert run(sys.executable, "-c", seven(address), timeout=120, **config) == (0, "7\n")
        assert "wants certificates" in refused(address, tmp_path)


def test_slurm__a_folder_holds_one_node(slurm):
    status, text = run(ONE_NODE, "start", slurm["SLURM_CONF"].removesuffix("/slurm.conf"))
    assert status == 1
    assert "is in use; stop it first" in text
