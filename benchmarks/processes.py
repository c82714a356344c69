"""Fresh processes: a measurement that must not see what came before it, and the CPUs that all of them may use."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")


def cpus() -> list[int]:
    """Return the CPUs that this process, and every process it starts, may use."""
    return sorted(os.sched_getaffinity(0))


def use_cpus(count: int) -> None:
    """Keep this process, and every process it starts, on so many CPUs: a limit that no contestant can overlook."""
    os.sched_setaffinity(0, cpus()[:count])


def in_fresh_process(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function of a module in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def forget_peak() -> None:
    """Let the peak of this process's resident memory begin anew at what it has now (proc_pid_clear_refs(5))."""
    Path("/proc/self/clear_refs").write_text("5")


def resident_bytes(kind: str) -> int:
    """Return this process's resident memory in bytes, now (`VmRSS`) or at its peak (`VmHWM`).

    Not `ru_maxrss`: a process that another one started inherits the peak of that one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))
