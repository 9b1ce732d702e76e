"""With certificates of the cluster's own authority it runs; without them it is refused."""

import contextlib
import shutil
import socket
import ssl
import stat
import sys

import dask
import numpy as np
import pytest
import xarray as xr
from distributed import Client

import xfactor as xf
from tests.cluster.tools import CLUSTER, equal, free_port, limited, refused, run, seven, smoke
from xfactor.cli import main

pytestmark = pytest.mark.skipif(
    not shutil.which("openssl"), reason="the openssl command is not there"
)
TLS = CLUSTER / "tls.sh"


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls") / "ours"
    status, text = run(TLS, folder)
    assert status == 0, text
    assert text == f"made in {folder}; use it with: export DASK_CONFIG={folder}/dask.yaml\n"
    return folder


@pytest.fixture(scope="module")
def address(ours, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hand")
    options = ("--folder", folder, "--port", free_port(), "--workers", "1", "--tls", ours)
    by_hand = CLUSTER / "by_hand.sh"
    status, text = run(by_hand, "start", *options, "--timeout", "120", timeout=200)
    assert status == 0, text
    yield text.splitlines()[-1]
    run(by_hand, "stop", "--folder", folder)


def certificates(folder):
    return [w for name in ("ca", "cert", "key") for w in (f"--tls-{name}", folder / f"{name}.pem")]


def test_tls__with_certificates_the_lecture_runs(ours, address, tmp_path):
    assert address.startswith("tls://")
    status, text = smoke(address, tmp_path, *certificates(ours))
    assert status == 0, text
    assert equal(text)


def test_tls__the_configuration_file_is_enough(ours, address):
    status, text = run(sys.executable, "-c", seven(address), DASK_CONFIG=str(ours / "dask.yaml"))
    assert (status, text) == (0, "7\n")


def test_tls__without_certificates_it_is_refused(address, tmp_path):
    said = refused(address, tmp_path)
    assert "wants certificates: give --tls-ca, --tls-cert and --tls-key" in said


def test_tls__with_those_of_another_authority_it_is_refused(address, tmp_path):
    assert run(TLS, tmp_path / "other")[0] == 0
    said = refused(address, tmp_path, *certificates(tmp_path / "other"))
    assert "certificate verify failed" in said


def test_tls__another_authority_is_refused_by_the_cluster_too(ours, address, tmp_path):
    """Of one who trusts the cluster, but shows a certificate the cluster does not trust."""
    other = tmp_path / "other"
    assert run(TLS, other)[0] == 0

    def first_byte(shown):
        context = ssl.create_default_context(cafile=ours / "ca.pem")
        context.check_hostname = False
        context.load_cert_chain(shown / "cert.pem", shown / "key.pem")
        host, port = address.removeprefix("tls://").split(":")
        with (
            socket.create_connection((host, int(port)), timeout=20) as raw,
            context.wrap_socket(raw) as encrypted,
        ):
            return encrypted.recv(1)

    assert len(first_byte(ours)) == 1  # a scheduler speaks first
    with contextlib.suppress(ssl.SSLError, ConnectionError):  # it hung up
        assert first_byte(other) == b""


def test_tls__an_unencrypted_connection_is_refused(address, tmp_path):
    said = refused(address.replace("tls://", "tcp://"), tmp_path)
    assert "tls:// where it uses certificates" in said


def xfactor_run(panel, address, *more):
    words = ["run", panel, "--out", panel.parent / "out", "--scheduler", address, *more]
    with limited(300):
        return main([str(word) for word in words])


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    simulated, _ = xf.simulate_panel(dates=200, assets=80, seed=1)
    return xf.write_panel(simulated, tmp_path_factory.mktemp("panel") / "panel.zarr")


def test_tls__xfactor_run_takes_certificates(panel, ours, address, capsys):
    small = ("--momentum", "60-5", "--window", "40", *certificates(ours))
    assert xfactor_run(panel, address, *small) == 0, capsys.readouterr().err
    assert list((panel.parent / "out").iterdir())


@pytest.mark.parametrize("scheme", ["tls", "tcp"])
def test_tls__xfactor_run_is_refused_in_one_line(panel, ours, address, scheme, capsys):
    more = certificates(ours) if scheme == "tcp" else []
    assert xfactor_run(panel, address.replace("tls:", f"{scheme}:"), *more) != 0
    said = capsys.readouterr().err
    assert said.startswith("xfactor: no scheduler answered at")
    assert said.count("\n") == 1


def test_tls__keys_are_their_owners_only_and_nothing_is_overwritten(ours):
    for key in (ours / "key.pem", ours / "authority" / "ca-key.pem"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = (ours / "key.pem").read_bytes()
    status, text = run(TLS, ours)
    assert status == 1
    assert "is there already; remove the folder to make new ones" in text
    assert (ours / "key.pem").read_bytes() == before
    assert sorted(p.name for p in ours.iterdir()) == [
        "authority", "ca.pem", "cert.pem", "dask.yaml", "key.pem",
    ]  # fmt: skip


def test_tls__a_refused_client_that_stays_the_active_one_is_named():
    with dask.config.set(
        {"scheduler": dask.config.get("scheduler", None), "distributed.comm.timeouts.connect": "2s"}
    ):
        with pytest.raises(TypeError, match="ssl_context") as held:  # as a notebook keeps it
            Client("tls://127.0.0.1:1")
        lazy = xf.rank(xr.DataArray(np.ones((4, 3)), dims=("date", "asset")).chunk(date=2))
        with pytest.raises(xf.PanelError, match="has not reached its scheduler within 2 s"):
            xf.compute(lazy)
        del held
