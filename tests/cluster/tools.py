"""Running the scripts of `cluster/` as users run them: as processes, with time limits."""

import contextlib
import importlib.util
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import dask
from distributed import Client

from xfactor.cli.cluster import ALLOCATOR

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
# Small, but of several chunks in every step.
SMALL = ("--dates", "320", "--assets", "60", "--chunk-dates", "64")
EQUAL = [
    f"{name}: largest difference 0"
    for name in ("panel", "approach 1", "approach 2", "stored betas")
]


def environment(**more):
    """Ours, in which every process of a cluster imports the files beside this one."""
    path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH")) if p)
    # A scheduler that a killed test left behind ends by itself.
    idle = {"DASK_DISTRIBUTED__SCHEDULER__IDLE_TIMEOUT": "10 minutes"}
    # The programs of this interpreter's environment, which may not have been activated.
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PYTHONPATH": path, "PATH": programs, **idle, **more}


def run(*words, timeout=60, **env):
    """(status, all output) of a command; its end is waited for at most `timeout` seconds."""
    with subprocess.Popen(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=environment(**env), start_new_session=True,
    ) as process:  # fmt: skip
        try:
            text, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, text


def smoke(address, folder, *more, timeout=400, **env):
    words = (sys.executable, CLUSTER / "smoke.py", address, "--folder", folder, *SMALL, *more)
    return run(*words, timeout=timeout, **env)


@contextlib.contextmanager
def limited(seconds):
    """Raise in what takes longer, so that nothing that waits for a cluster waits for ever."""

    def over(*_):
        raise TimeoutError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refused(address, folder, *more, timeout=1):
    """The one line that smoke says before it has computed anything; here, to save its start."""
    said = io.StringIO()
    words = ["smoke.py", address, "--folder", folder, "--timeout", timeout, *more]
    with (
        mock.patch.object(sys, "argv", [str(word) for word in words]),
        contextlib.redirect_stderr(said),
        dask.config.set(scheduler=dask.config.get("scheduler", None)),  # a refused client stays it
        limited(100),
    ):
        status = script("smoke").main()
    assert status == 1
    text = said.getvalue()
    assert text.startswith("smoke: ")
    assert text.count("\n") == 1
    return text


def equal(text):
    """Did smoke find the results of the cluster to be those of threads, bit for bit?"""
    lines = text.splitlines()
    return "equal" in lines and all(line in lines for line in EQUAL)


def seven(address):
    """Code that prints 7 if a worker computes for it."""
    return f"from distributed import Client; print(Client('{address}').submit(abs, -7).result())"


def installed(program, package):
    """Path of a program, from Debian's package if need be and if we may; else None."""
    where = f"{os.environ['PATH']}:/usr/sbin"
    if shutil.which(program, path=where) is None and os.getuid() == 0 and shutil.which("apt-get"):
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        words = ("apt-get", "-y", "-qq", "-o", "DPkg::Lock::Timeout=120")
        install = ("--no-install-recommends", "install", package)
        for _ in range(3):  # another apt-get may be at it
            run(*words, "update", timeout=200, **env)
            if run(*words, *install, timeout=400, **env)[0] == 0:
                break
            time.sleep(5)
    return shutil.which(program, path=where)


def script(name):
    """The module of a script in `cluster/`."""
    spec = importlib.util.spec_from_file_location(f"cluster_{name}", CLUSTER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def kept(folder, *words, timeout=120, **env):
    """A script that prints an address and runs until interrupted; gives the address."""
    log = folder / "stderr"
    with (
        open(log, "w") as errors,
        subprocess.Popen(
            [str(word) for word in words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            text=True, env=environment(**env), cwd=folder,
        ) as process,
    ):  # fmt: skip
        try:
            address = first_line(process, timeout)
            assert "://" in address, f"found {address!r}, and {log.read_text()}"
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def first_line(process, timeout):
    """What a process prints first, "" if it ends or the time is over before."""
    os.set_blocking(process.stdout.fileno(), False)
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if line := process.stdout.readline():
            return line.strip()
        if process.poll() is not None:
            break
        time.sleep(0.1)
    return ""


def has_allocator(address: str) -> bool:
    """Whether all workers of a cluster get memory as `xfactor run --local-cluster` has it."""
    with Client(address) as client:
        found = client.run(lambda: dict(os.environ))
    return bool(found) and all(e.items() >= ALLOCATOR.items() for e in found.values())
