"""Snakemake, run and watched: how long it takes, how much of the CPUs, and the peak memory of each of its processes."""

import os
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

GLANCE = 0.2
"""Seconds between two looks at the processes; a peak that comes later than the last look is missed."""
SCRIPT = re.compile(r"/scripts/(?:tmp\w+\.)?(\w+)\.py")


class Watched(NamedTuple):
    """What a run of Snakemake took; CPU seconds are those of all its processes."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: dict[str, int]
    """Per process: `snakemake`, or the name of the script."""


def watch(words: Sequence[str], *, config: Path, root: Path) -> Watched:
    """Run Snakemake in the folder of a configuration; a RuntimeError tells the end of what it printed if it fails."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--quiet", *words]
    command += ["--configfile", str(config.absolute()), "--workflow-profile", str(root / "profiles" / "default")]
    before, began = _cpu_seconds(), time.monotonic()
    running = subprocess.Popen(
        command, cwd=config.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    peaks: dict[str, int] = {}
    over = threading.Event()
    watching = threading.Thread(target=_look, args=(running.pid, peaks, over))
    watching.start()
    output, _ = running.communicate()
    wall = time.monotonic() - began
    over.set()
    watching.join()
    if running.returncode:
        raise RuntimeError(f"snakemake ended with status {running.returncode}: {output[-2000:]}")
    return Watched(wall, _cpu_seconds() - before, peaks)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _look(session: int, peaks: dict[str, int], over: threading.Event) -> None:
    while not over.wait(GLANCE):
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                fields = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) != session:
                    continue
                script = SCRIPT.search(Path("/proc", process, "cmdline").read_text().replace("\0", " "))
                status = Path("/proc", process, "status").read_text()
            except OSError:  # it has ended
                continue
            name = "snakemake" if int(process) == session else script[1] if script else "other"
            peak = re.search(r"VmHWM:\s+(\d+) kB", status)
            peaks[name] = max(peaks.get(name, 0), int(peak[1]) * 1024 if peak else 0)
