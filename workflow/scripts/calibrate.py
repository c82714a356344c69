"""Adapter of `make estimate`: pieces of jobs on stdin, one JSON each; what their parts cost on stdout, likewise."""

import json
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import describe_error
from workflow.jobs import process

logging.disable(logging.WARNING)  # which kernel runs is in every job's own log
process.limit_threads(1, kernel="cpu")
with process.importing():
    from training import calibration, compilation
compilation.compile_kernel()
print(json.dumps({"started": calibration.STARTED}), flush=True)
for line in sys.stdin:
    piece = json.loads(line)
    try:
        cost = calibration.cost_of(piece["kind"], piece["settings"])._asdict()
    except (ValueError, RuntimeError, MemoryError) as error:
        cost = {"error": describe_error(error)}
    print(json.dumps(cost), flush=True)
