"""Adapter of rule kernel: compile the fused kernel, and say so where it takes its time; the log says what was done."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors
from workflow.jobs import process

with log_errors():
    process.limit_threads(1, kernel="cpu")
    with process.importing():
        from training.compilation import compile_kernel, is_compiled
    if not is_compiled():
        print("compiling the fused kernel, once for this type of CPU: about half a minute", flush=True)
    is_new, folder = compile_kernel()
    state = "compiled" if is_new else "found, compiled before,"
    seconds = time.monotonic() - process.STARTED
    print(f"the fused kernel was {state} in {seconds:.1f} s; it lies in {folder}", file=sys.stderr)
process.leave()
