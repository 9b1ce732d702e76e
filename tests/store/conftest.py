"""A local S3 server, and one address for each kind of store."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from importlib.util import find_spec

import pytest

BUCKET = "panels"


def needs(*names):
    """Skip where an optional library is absent."""
    for name in names:
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url, server):
    for _ in range(300):
        try:
            request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
            with urllib.request.urlopen(request, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, "the S3 server died"
            time.sleep(0.1)
    raise AssertionError("the S3 server did not start in 30 s")


@pytest.fixture(scope="session")
def s3():
    """URL of a bucket on an S3 server that lives as long as the tests; None without moto."""
    if find_spec("moto") is None or find_spec("flask") is None:
        yield None
        return
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    before = {k: os.environ.get(k) for k in settings}
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(url, server)
        os.environ.update(settings)
        yield f"s3://{BUCKET}"
    finally:
        server.kill()
        server.wait()
        for k, v in before.items():
            os.environ.pop(k) if v is None else os.environ.update({k: v})


@pytest.fixture
def bucket(s3):
    """A prefix of its own in the bucket."""
    if s3 is None:
        pytest.skip("moto[server] is not installed")
    needs("obstore")
    return f"{s3}/{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=["zarr", "icechunk", "s3", "icechunk+s3"])
def address(request, tmp_path):
    """Where a store of each kind may be made."""
    if "icechunk" in request.param:
        needs("icechunk")
    if "s3" not in request.param:
        prefix = "icechunk://" if request.param == "icechunk" else ""
        return f"{prefix}{tmp_path}/panel"
    url = f"{request.getfixturevalue('bucket')}/panel"
    return f"icechunk+{url}" if "icechunk" in request.param else url
