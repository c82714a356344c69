"""Provenance: what made a run, apart from the settings that determine its numbers."""

import hashlib
import importlib.metadata
import json
import platform
import resource
import socket
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("numpy", "torch", "numba", "scipy", "snakemake")
SOURCES = ("tasks", "models", "training", "records", "workflow", "Snakefile", "config")
"""What counts as a change to the source tree, files that git does not know included."""


def collect(*, root: Path, started: datetime, threads: int, record: Mapping[str, Any]) -> dict[str, Any]:
    """Describe this process and machine; `root` is the source tree, `started` when the job began.

    Of the run record come the settings that determine the numbers (as the hash of their compact, sorted JSON), the
    digest of the code that does, and the kernel that ran. Memory is in bytes, that of the process and of its GPU.
    """
    on_gpu = record["settings"]["device"] == "cuda"
    compact = json.dumps(record["settings"], sort_keys=True, separators=(",", ":"))
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--", *SOURCES)
    return {
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
        "processor": processor(),
        "processor_type": processor_type(),
        "gpu": torch.cuda.get_device_name() if on_gpu else None,
        "threads": threads,
        "kernel": record["kernel"],
        "settings": hashlib.sha256(compact.encode()).hexdigest(),
        "sources": record["sources"],
        "host": socket.gethostname(),
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round((datetime.now(UTC) - started).total_seconds(), 3),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "peak_gpu_memory_bytes": torch.cuda.max_memory_allocated() if on_gpu else None,
        "restarts": 0,
    }


def collect_table(*, root: Path, started: datetime, settings: Mapping[str, Any], sources: str) -> dict[str, Any]:
    """Describe what made a table by itself: on one thread of the CPU, with the reference kernel."""
    record = {"settings": {"device": "cpu", **settings}, "sources": sources, "kernel": "reference"}
    return collect(root=root, started=started, threads=1, record=record)


def processor() -> str:
    """Return the CPU's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [text.split(":", 1)[1].strip() for text in lines if text.startswith("model name")]
    return names[0] if names else platform.processor()


def processor_type() -> str:
    """Return what decides how this CPU rounds: vendor, family, model, and the vector instructions that torch uses.

    A virtual machine may give CPUs of several generations one name.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0].splitlines()
    except OSError:
        lines = []
    about = {name.strip(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    known = [about[name] for name in ("vendor_id", "cpu family", "model") if name in about]
    return " ".join([*(known or [platform.machine()]), torch.backends.cpu.get_cpu_capability()])


def _git(root: Path, *words: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
