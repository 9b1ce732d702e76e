"""Scheduler and workers as processes started by hand, and the smoke script on them."""

import argparse
from types import SimpleNamespace

import pytest

import xfactor as xf
from tests.cluster.tools import (
    CLUSTER,
    equal,
    free_port,
    has_allocator,
    refused,
    run,
    script,
    smoke,
)

BY_HAND = CLUSTER / "by_hand.sh"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hand")
    options = ("--folder", folder, "--port", free_port(), "--memory-limit", "1GB")
    status, text = run(BY_HAND, "start", *options, "--timeout", "120", timeout=200)
    assert status == 0, text
    yield SimpleNamespace(address=text.splitlines()[-1], folder=folder)
    status, text = run(BY_HAND, "stop", "--folder", folder)
    assert (status, text) == (0, "stopped 3 processes\n")
    assert run(BY_HAND, "stop", "--folder", folder) == (0, "stopped 0 processes\n")


def test_by_hand__the_lecture_is_that_of_threads(cluster, tmp_path):
    status, text = smoke(cluster.address, tmp_path, "--workers", "2")
    assert status == 0, text
    assert equal(text)
    assert "2 workers, 1 thread(s) and 0.93 GiB each" in text
    assert "note" not in text
    assert not list(tmp_path.iterdir())


def test_by_hand__workers_get_memory_as_those_of_the_commands(cluster):
    assert has_allocator(cluster.address)


def test_by_hand__a_folder_holds_one_cluster(cluster):
    status, text = run(BY_HAND, "start", "--folder", cluster.folder)
    assert status == 1
    assert "holds a running cluster; stop it first" in text


def test_by_hand__what_cannot_start_leaves_nothing_behind(cluster, tmp_path):
    taken = cluster.address.rpartition(":")[2]
    status, text = run(BY_HAND, "start", "--folder", tmp_path, "--port", taken)
    assert status == 1
    assert f"by_hand: scheduler has not started; see {tmp_path}/scheduler.log" in text
    assert not list(tmp_path.glob("*.pid"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start", "--threads", "2"], "--threads: no such option"),
        (["start", "--port"], "--port: found no value after it"),
        ([], "by_hand.sh start --workers 4"),
    ],
)
def test_by_hand__says_what_it_does_not_understand(words, said):
    status, text = run(BY_HAND, *words)
    assert status == 1
    assert said in text


# --- smoke.py's own checks ------------------------------------------------------------------------


def test_smoke__waits_for_workers_so_long_and_no_longer(cluster, tmp_path):
    said = refused(cluster.address, tmp_path, "--workers", "3")
    assert said.startswith("smoke: Only 2/3 workers arrived after 1")


def test_smoke__says_that_nobody_answers(tmp_path):
    nobody = f"tcp://127.0.0.1:{free_port()}"
    said = refused(nobody, tmp_path)
    assert said.startswith(f"smoke: no connection to {nobody} within 1 s (")


def versions(numpy="2.4.6", scheduler=None, files="ab12"):
    """A client of one worker that has other versions."""
    ours = {"numpy": "2.4.6", "dask": "2026.8.0"}
    worker = {**ours, "numpy": numpy}
    found = {
        "client": told(ours), "scheduler": told(scheduler or ours),
        "workers": {"tcp://w:1": told(worker)},
    }  # fmt: skip
    return SimpleNamespace(
        get_versions=lambda packages: found, run=lambda function, *_: {"tcp://w:1": files}
    )


def checked(module, client):
    module.check_versions(client)
    module.check_files(client)


def told(packages):
    return {"host": {"python": "3.12.1.final.0"}, "packages": packages}


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (versions("2.3.1"), r"tcp://w:1 has numpy 2\.3\.1 and this process 2\.4\.6"),
        (versions(None), "tcp://w:1 has numpy not installed and"),
        (versions(scheduler={"dask": "2025.1.0"}), r"the scheduler has dask 2025\.1\.0 and"),
        (versions(files="cd34"), r"xfactor's files differ on tcp://w:1 \(cd34, here ab12\)"),
    ],
)
def test_smoke__names_versions_that_differ_in_one_line(client, said, monkeypatch):
    module = script("smoke")
    monkeypatch.setattr(module, "code_version", lambda: "ab12")
    with pytest.raises((module.SmokeError, xf.PanelError), match=f"^{said}.*Install the same o"):
        checked(module, client)


def test_smoke__a_scheduler_needs_no_numpy():
    script("smoke").check_versions(versions(scheduler={"dask": "2026.8.0", "numpy": None}))


def test_smoke__names_a_worker_that_does_not_see_the_folder(tmp_path):
    with pytest.raises(xf.PanelError, match=f"the worker tcp://w:1 sees no folder {tmp_path}"):
        script("smoke").check_folders(versions(files=False), [tmp_path], [])


def test_smoke__certificates_come_in_threes(tmp_path):
    module = script("smoke")
    (tmp_path / "ca.pem").touch()
    chosen = argparse.Namespace(tls_ca=tmp_path / "ca.pem", tls_cert=None, tls_key=None)
    with pytest.raises(module.SmokeError, match="--tls-cert: found nothing, needed a PEM file"):
        module.security(chosen)
