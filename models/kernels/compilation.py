"""How the fused kernel is compiled, and where its machine code is kept between processes.

numba keys its cache by CPU type and by the time of the file that defines a function, not by those of the functions
that it inlines; so the cache lies in a folder that is named after the text of all sources of the kernel. Division as
the hardware does it, and contraction, are enough to vectorise. Neither nnan nor ninf: a diverged replica must stay
NaN. No reassociation: the bits would depend on the width of the CPU's vectors.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

HERE = Path(__file__).parent
SOURCES = ("compilation.py", "elementwise.py", "fused.py")

inlined = numba.njit(inline="always", error_model="numpy", fastmath={"contract", "nsz"}, nogil=True)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function when it is first called, or load its machine code."""
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = cache_folder()  # type: ignore[attr-defined]
    try:
        return numba.njit(error_model="numpy", fastmath={"contract", "nsz"}, cache=True, nogil=True)(function)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


@cache
def cache_folder() -> str:
    """Return the first folder that can be written: beside the sources, in the user's cache, or a temporary one."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in SOURCES)).hexdigest()[:16]
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for base in (HERE / "__pycache__", user / "lagbench"):
        folder = base / f"kernel-{digest}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return tempfile.mkdtemp(prefix="lagbench-")
