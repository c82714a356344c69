"""Training jobs as the workflow starts them: how long until the first update, and two of them at a time."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.problem import MODELS

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "workflow" / "scripts" / "job.py"
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def settings(*, lag: int, updates: int, seeds: int) -> dict[str, Any]:
    """Return the settings of an adding job with an LSTM with peepholes, H 32, B 32, three learning rates."""
    cell, options = MODELS["lstm_peephole"]
    return {
        "device": "cpu",
        "seeds": list(range(seeds)),
        "learning_rates": [0.001, 0.003, 0.01],
        "task": {
            "name": "adding",
            "task": "adding",
            "lag": lag,
            "sequences": 32 * updates,
            "options": {"variant": "uniform", "output": "linear"},
        },
        "model": {"name": "lstm_peephole", "cell": cell, "hidden_size": 32, "options": options},
        "gradient": {
            "name": "full",
            "paths": ["cell", "gates", "block_input", "peepholes", "output_peephole"],
            "k1": None,
            "k2": None,
        },
        "training": {
            "protocol": "minibatch",
            "kernel": "cpu",
            "dtype": "float32",
            "batch_size": 32,
            "clip_norm": 1.0,
            "evaluate_every": 50,
            "validation_sequences": 64,
            "test_sequences": 64,
        },
        "optimiser": ADAM,
    }


def seconds_to_first_update(*, repeats: int) -> float:
    """Return the median seconds from the start of a job's process to the report of its first update, cache warm."""
    with tempfile.TemporaryDirectory() as folder:
        times = []
        for number in range(repeats + 1):
            began = time.perf_counter()
            job = _start(settings(lag=10, updates=1, seeds=1), Path(folder), name=str(number))
            assert job.stderr is not None
            reports = (line for line in job.stderr if "update 1/1" in line)
            seen = next(reports, None)
            times.append(time.perf_counter() - began)
            if _wait(job) or seen is None:
                raise RuntimeError(f"{SCRIPT.name} ended without reporting an update")
    return median(times[1:])


def seconds_of_two_jobs(*, updates: int, at_once: bool) -> float:
    """Return the seconds that two jobs of one thread (R 15, T 100) take, at once or one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        running = []
        for name in ("first", "second"):
            running.append(_start(settings(lag=50, updates=updates, seeds=5), Path(folder), name=name))
            if not at_once:
                running[-1].communicate()
        for job in running:
            if _wait(job):
                raise RuntimeError(f"{SCRIPT.name} ended with {job.returncode}")
        return time.perf_counter() - began


def _start(what: dict[str, Any], folder: Path, *, name: str) -> subprocess.Popen[str]:
    run = folder / "cpu/adding/lag/lstm_peephole/full" / f"{name}.json"
    words = ["--entry", "training.condition:train_condition", "--settings", json.dumps(what)]
    words += ["--sources", "benchmark", "--threads", "1"]
    words += ["--record", str(run), "--provenance", str(run.with_suffix(".provenance.json"))]
    return subprocess.Popen([sys.executable, str(SCRIPT), *words], stderr=subprocess.PIPE, text=True)


def _wait(job: subprocess.Popen[str]) -> int:
    """Wait for a job to end and return its exit status."""
    if job.stderr is not None and not job.stderr.closed:
        job.communicate()
    return job.wait()
