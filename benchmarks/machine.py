"""The record of the machine: what it is, what runs on it, and how fast its best matrix product is."""

import os
import re
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from benchmarks.processes import cpus
from training.provenance import collect

VARIABLES = re.compile(r"(OPENBLAS|MKL|OMP|KMP|GOMP|BLIS|NUMBA|XLA|JAX)_\w+")
"""Environment variables that may change a speed."""
PACKAGES = ("numba", "llvmlite", "threadpoolctl", "jax", "jaxlib")


def sgemm_peak(threads: int, sizes: Sequence[int], repeats: int) -> dict[str, float]:
    """Return the best GFLOP/s of a square float32 product, by library: torch's BLAS and NumPy's."""
    torch.set_num_threads(threads)
    best = {"torch": 0.0, "numpy": 0.0}
    with threadpool_limits(threads, user_api="blas"):
        for n in sizes:
            a, b, out = (np.full((n, n), value, np.float32) for value in (1.0, 0.5, 0.0))
            tensors = [torch.from_numpy(array) for array in (a, b, out)]
            products = {
                "torch": lambda: torch.mm(tensors[0], tensors[1], out=tensors[2]),  # noqa: B023 (called at once)
                "numpy": lambda: np.dot(a, b, out),  # noqa: B023
            }
            for library, product in products.items():
                best[library] = max(best[library], 2 * n**3 / _shortest(product, repeats) / 1e9)
    return best


def _shortest(product: Callable[[], object], repeats: int) -> float:
    product()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def busy_cpus(*, seconds: float) -> float:
    """Return how many CPUs of the machine are at work while this process sleeps: those of others."""
    before = _cpu_times()
    time.sleep(seconds)
    spent = _cpu_times() - before
    return float((os.cpu_count() or 1) * (1 - spent[[3, 4]].sum() / max(spent.sum(), 1)))  # idle, waiting for a disk


def _cpu_times() -> NDArray[np.int64]:
    """Return the ticks of all CPUs by kind (proc_stat(5)), guests left out: they are in `user` already."""
    return np.array(Path("/proc/stat").read_text().splitlines()[0].split()[1:9], np.int64)


def record(*, root: Path, started: float, threads: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Describe the machine, the software and the settings of a run of the benchmark."""
    subject = {"settings": {"device": "cpu"} | settings, "kernel": "cpu", "sources": None}
    provenance = collect(root=root, started=started, threads=threads, record=subject)
    provenance["versions"] |= {name: _version(name) for name in PACKAGES}
    unwanted = ("gpu", "peak_gpu_memory_bytes", "sources", "restarts", "settings", "peak_memory_bytes")
    return {name: value for name, value in provenance.items() if name not in unwanted} | {
        "benchmark": settings,
        "cores": os.cpu_count(),
        "cpus": cpus(),
        "blas": {
            "torch": "mkl" if torch.backends.mkl.is_available() else "other",
            "loaded": [
                {"library": Path(library["filepath"]).name}
                | {key: library.get(key) for key in ("internal_api", "version", "architecture")}
                for library in threadpool_info()
            ],
        },
        "environment": {name: value for name, value in sorted(os.environ.items()) if VARIABLES.fullmatch(name)},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
