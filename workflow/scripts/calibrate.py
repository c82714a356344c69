"""Adapter of `make estimate`: jobs as JSON on stdin; per job that is timed its cost on stdout, a line of JSON each."""

import json
import logging
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import describe_error
from workflow.jobs import process

logging.disable(logging.WARNING)  # which kernel runs is in every job's own log
process.limit_threads(1, kernel="cpu")
with process.importing():
    from training import calibration, compilation
compilation.compile_kernel()
until = time.monotonic() + float(sys.argv[1])
for job in json.load(sys.stdin):
    if time.monotonic() < until:
        try:
            cost = calibration.time_job(**job)._asdict()
        except (ValueError, RuntimeError, MemoryError) as error:
            cost = {"error": describe_error(error)}
        print(json.dumps(cost), flush=True)
