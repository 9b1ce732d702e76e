"""A side in a process of its own: one line in, one run, one line of JSON out."""

import importlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.peers.task import TINY, Size


def cpu() -> float:
    """Seconds that all threads of this process have computed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_megabytes() -> float:
    """The most memory this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def main() -> None:
    """Import, run on a tiny panel (what compiles, compiles), then once for each line."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    folder, size = Path(order["folder"]), Size(**order["size"])
    if order["cap"]:
        resource.setrlimit(resource.RLIMIT_DATA, (order["cap"], order["cap"]))
    begun = time.perf_counter()
    module = importlib.import_module(f"tests.benchmarks.peers.{order['module']}")
    run = getattr(module, order["function"])
    if hasattr(module, "use_threads"):
        module.use_threads(size.threads)
    if hasattr(module, "load"):  # frames in memory, for those that start from them
        module.load(folder)
    run(folder / "tiny", TINY, **order["options"])
    print(json.dumps({"ready": time.perf_counter() - begun}), flush=True)
    for line in sys.stdin:
        wall, used = time.perf_counter(), cpu()
        answer = run(folder, size, **order["options"])
        made = {"seconds": time.perf_counter() - wall, "cpu": cpu() - used}
        np.savez(line.strip(), **answer)
        print(json.dumps(made | {"peak": peak_megabytes()}), flush=True)


if __name__ == "__main__":
    main()
