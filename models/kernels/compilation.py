"""How the fused kernel is compiled, and where its machine code is kept between processes.

numba keys its own cache by CPU type and by the file that defines a function, not by those of the functions that it
inlines, and loads what a file holds without a check. Here a file holds the machine code of one function for one
signature, and its checksum, in a folder that is named after the CPU type, the versions and the text of all kernels.
Division as the hardware does it, and contraction, are enough to vectorise. Neither nnan nor ninf: a diverged replica
must stay NaN. No reassociation: the bits would depend on the width of the CPU's vectors.
"""

import fcntl
import hashlib
import logging
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.core.serialize import dumps

log = logging.getLogger(__name__)
HERE = Path(__file__).parent
PATIENCE = 120.0
"""Seconds to wait for another process that compiles the same function, several times what that takes."""
DIGEST_SIZE = hashlib.sha256().digest_size

inlined = numba.njit(inline="always", error_model="numpy", fastmath={"contract", "nsz"}, nogil=True)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function when it is first called, or load its machine code."""
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return _refuse_call
    python_function = getattr(function, "py_func", function)
    dispatcher: Any = numba.njit(error_model="numpy", fastmath={"contract", "nsz"}, nogil=True)(python_function)
    dispatcher._cache = _Cache(python_function, cache_folder())
    return dispatcher


def _refuse_call(*_: Any) -> None:
    raise RuntimeError(
        "the cpu kernel needs numba's compiler, which NUMBA_DISABLE_JIT=1 switches off; unset it, or take the "
        "reference kernel"
    )


class _Cache:
    """The machine code of one function, a file per signature; a broken file or a full disk costs time, never the job.

    In the place of numba's own: numba asks it for machine code, compiles what it has not, and gives it the result, one
    signature at a time.
    """

    _lock: int | None = None
    """The open file by whose lock other processes wait until this one has compiled."""

    def __init__(self, function: Callable[..., Any], folder: str) -> None:
        self._function = function
        self._folder = folder

    @property
    def cache_path(self) -> str:
        """The folder of the files."""
        return self._folder

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code, once another process that compiles it has ended, or None."""
        target_context.refresh()
        result = self._load(sig, target_context)
        if result is None and self._wait_for_lock(sig):
            result = self._load(sig, target_context)
        if result is not None:
            self._release_lock()
        return result

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code, if the disk lets."""
        path = self._path(sig)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            content = dumps(data._reduce())
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
            temporary.replace(path)
        except OSError as error:
            log.warning("the fused kernel's machine code cannot be kept in %s (%r)", self._folder, error)
            with suppress(OSError):
                temporary.unlink()
        finally:
            self._release_lock()

    def _path(self, sig: Any) -> Path:
        code = self._function.__code__
        digest = hashlib.sha256(repr(sig).encode() + code.co_code).hexdigest()
        return Path(self._folder, f"{code.co_name}-{code.co_firstlineno}-{digest[:16]}.nbc")

    def _load(self, sig: Any, target_context: Any) -> Any:
        path = self._path(sig)
        try:
            stored = path.read_bytes()
        except OSError:
            return None
        digest, content = stored[:DIGEST_SIZE], stored[DIGEST_SIZE:]
        try:
            if hashlib.sha256(content).digest() != digest:
                raise ValueError("its checksum is wrong")
            return CompileResult._rebuild(target_context, *pickle.loads(content))
        except Exception as error:  # pickle may raise anything
            log.warning("the fused kernel is compiled anew: broken machine code in %s (%s)", path, error)
            return None

    def _wait_for_lock(self, sig: Any) -> bool:
        """Take the lock and return whether another process had it; without it go on: two may compile the same."""
        end, waited = time.monotonic() + PATIENCE, False
        self._release_lock()  # it still holds it where a compilation before this one failed
        try:
            self._lock = os.open(self._path(sig).with_suffix(".lock"), os.O_CREAT | os.O_RDWR)
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

    def _release_lock(self) -> None:
        if self._lock is not None:
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_UN)  # a process that was forked meanwhile holds the file open too
            os.close(self._lock)
            self._lock = None


@cache
def cache_folder() -> str:
    """Return the first folder that can be written: next to the sources, in the user's cache, or a temporary one."""
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    versions = (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__)
    digest = hashlib.sha256(repr((triple, cpu, features, *versions)).encode())
    for path in sorted(HERE.rglob("*.py")):
        digest.update(path.read_bytes())
    bases = [HERE / "__pycache__"]
    with suppress(RuntimeError):  # a user id may have no home
        bases.append(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "lagbench"))
    for base in bases:
        folder = base / f"kernel-{cpu}-{digest.hexdigest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return tempfile.mkdtemp(prefix="lagbench-")
