"""How the fused kernel is compiled, and where its machine code is kept between processes.

numba keys its cache by CPU type and by the file that defines a function, not by those of the functions that it inlines,
and keeps all types in one index, which nodes that share a file system would overwrite for each other; so the cache lies
in a folder that is named after the CPU type, the versions and the text of all sources of the kernel. Division as
the hardware does it, and contraction, are enough to vectorise. Neither nnan nor ninf: a diverged replica must stay
NaN. No reassociation: the bits would depend on the width of the CPU's vectors.
"""

import fcntl
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import FunctionCache
from numba.core.registry import cpu_target

log = logging.getLogger(__name__)
HERE = Path(__file__).parent
SOURCES = (
    "compilation.py",
    "double_lanes.py",
    "elementwise.py",
    "fused.py",
    "groups.py",
    "lanes.py",
    "layout.py",
    "memory_blocks.py",
    "products.py",
    "transposition.py",
)
PATIENCE = 120.0
"""Seconds to wait for another process that compiles the same function, several times what that takes."""

inlined = numba.njit(inline="always", error_model="numpy", fastmath={"contract", "nsz"}, nogil=True)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function when it is first called, or load its machine code."""
    dispatcher: Any = numba.njit(error_model="numpy", fastmath={"contract", "nsz"}, nogil=True)(function)
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = cache_folder()  # type: ignore[attr-defined]
    try:
        dispatcher._cache = _Cache(function)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]
    return dispatcher


class _Cache(FunctionCache):
    """numba's cache of one function, which costs time where a file is broken or the disk full, but never the job.

    numba itself asks it for machine code, compiles what it has not, and gives it the result, one function at a time.
    """

    _lock: int | None = None
    """The open file by whose lock other processes wait until this one has compiled."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code, once another process that compiles it has ended, or None."""
        found = self._readable(sig, target_context)
        if found is None and self._wait():
            found = self._readable(sig, target_context)
        if found is not None:
            self._release()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code, if the disk lets."""
        try:
            super().save_overload(sig, data)
        except Exception as error:
            log.warning("the fused kernel's machine code cannot be kept in %s (%r)", self.cache_path, error)
        finally:
            self._release()

    def _readable(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # of a broken file pickle may say anything
            log.warning("the fused kernel is compiled anew: broken machine code in %s (%r)", self.cache_path, error)
            with suppress(OSError):
                self.flush()
            return None

    def _wait(self) -> bool:
        """Take the lock and say whether another process had it; without it go on: two may compile the same."""
        end, waited = time.monotonic() + PATIENCE, False
        self._release()  # it still holds it where a compilation before this one failed
        try:
            code = self._py_func.__code__
            path = Path(self.cache_path, f"{code.co_qualname}-{code.co_firstlineno}.lock")
            self._lock = os.open(path, os.O_CREAT | os.O_RDWR)
            while time.monotonic() < end:
                try:
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    waited = True
                    time.sleep(0.1)
        except OSError:  # a disk that is full, or a file system without locks
            pass
        return waited

    def _release(self) -> None:
        if self._lock is not None:
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_UN)  # a process that was forked meanwhile holds the file open too
            os.close(self._lock)
            self._lock = None


@cache
def cache_folder() -> str:
    """Return the first folder that can be written: beside the sources, in the user's cache, or a temporary one."""
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    digest = hashlib.sha256(repr((triple, cpu, features, numba.__version__, llvmlite.__version__)).encode())
    for name in SOURCES:
        digest.update((HERE / name).read_bytes())
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for base in (HERE / "__pycache__", user / "lagbench"):
        folder = base / f"kernel-{cpu}-{digest.hexdigest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return tempfile.mkdtemp(prefix="lagbench-")
