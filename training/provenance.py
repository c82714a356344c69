"""Provenance: what made a run, apart from the settings that determine its numbers."""

import hashlib
import importlib.metadata
import os
import platform
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import torch

from records.canonical_json import compute_digest

PACKAGES = ("numpy", "torch", "numba", "scipy", "snakemake")
SOURCES = ("tasks", "models", "training", "records", "workflow", "Snakefile", "config")
"""What counts as a change to the source tree, files that git does not know included."""


def collect(*, root: Path, started: float, threads: int, record: Mapping[str, Any]) -> dict[str, Any]:
    """Describe this process and machine; `root` is the source tree, `started` the monotonic time of the job's start.

    Of the run record come the settings that determine the numbers (as a hash), the digest of the code that does, and
    the kernel that ran. Memory is in bytes, that of the process and of its GPU.
    """
    on_gpu = record["settings"]["device"] == "cuda"
    seconds = time.monotonic() - started  # by the wall clock a duration may be negative
    plugins = map(Path, filter(None, os.environ.get("LAGBENCH_PLUGINS", "").split(os.pathsep)))
    return {
        **_describe_git(root, *SOURCES, is_whole=True),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: package_version(name) for name in PACKAGES},
        "processor": processor(),
        "processor_type": processor_type(),
        "compiled_for": compiled_for(),
        "gpu": torch.cuda.get_device_name() if on_gpu else None,
        "threads": threads,
        "kernel": record["kernel"],
        "settings": compute_digest(record["settings"]),
        "sources": record["sources"],
        "plugins": {str(path): {**_describe_git(path, "."), "digest": _digest_python(path)} for path in plugins},
        "host": socket.gethostname(),
        "started": (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds"),
        "wall_seconds": round(seconds, 3),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "peak_gpu_memory_bytes": torch.cuda.max_memory_allocated() if on_gpu else None,
        "restarts": 0,
    }


def collect_table(*, root: Path, started: float, settings: Mapping[str, Any], sources: str) -> dict[str, Any]:
    """Describe what made a table by itself: on one thread of the CPU, with the reference kernel."""
    record = {"settings": {"device": "cpu", **settings}, "sources": sources, "kernel": "reference"}
    return collect(root=root, started=started, threads=1, record=record)


def processor() -> str:
    """Return the CPU's model name."""
    return _cpu_fields().get("model name") or platform.processor()


def processor_type() -> str:
    """Return what decides how this CPU rounds: vendor, family, model, and the vector instructions that torch uses.

    A virtual machine may give CPUs of several generations one name.
    """
    fields = _cpu_fields()
    names = [fields[name] for name in ("vendor_id", "cpu family", "model") if name in fields]
    return " ".join([*(names or [platform.machine()]), torch.backends.cpu.get_cpu_capability()])


def compiled_for() -> str | None:
    """Return the CPU that numba compiles for, and a hash of its features: variables NUMBA_CPU_* may override both.

    None where no kernel that numba compiles was loaded.
    """
    registry = sys.modules.get("numba.core.registry")
    if registry is None:
        return None
    _, name, features = registry.cpu_target.target_context.codegen().magic_tuple()
    return f"{name} {hashlib.sha256(features.encode()).hexdigest()[:8]}"


def _describe_git(folder: Path, *paths: str, is_whole: bool = False) -> dict[str, Any]:
    """Return the commit of a folder's repository and whether the paths differ from it, None if git tracks none.

    None too where the folder must be the whole of the repository, and is a copy in another.
    """
    toplevel = _git(folder, "rev-parse", "--show-toplevel")
    is_copy = is_whole and toplevel is not None and Path(toplevel).resolve() != folder.resolve()
    if is_copy or not _git(folder, "ls-files", "--", *paths):
        return {"commit": None, "dirty": None}
    dirty = bool(_git(folder, "status", "--porcelain", "--", *paths))
    return {"commit": _git(folder, "rev-parse", "HEAD"), "dirty": dirty}


def _digest_python(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _cpu_fields() -> dict[str, str]:
    """Return what the system says of the first CPU, by name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n", 1)[0].splitlines()
    except OSError:
        return {}
    return {name.strip(): text.strip() for name, _, text in (line.partition(":") for line in lines)}


def package_version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "-C", str(folder), *words]
    try:
        answer = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
