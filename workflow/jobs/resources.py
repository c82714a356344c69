"""What a job asks of a cluster: memory and time, from its settings alone, growing with every attempt.

The estimates are upper bounds of what was measured, made without importing what trains. Sequences are taken as long as
those of any task can be at the job's lag, and every replica as if it trained to the end of its budget.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

PROCESS_BYTES = 500_000_000  # Python, torch and the kernel's machine code: 390 MB measured
CLUSTER_BYTES = 400_000_000  # Snakemake, which starts twice within a cluster's job: 160 MB each
GPU_PROCESS_BYTES = 3_000_000_000  # of the host, for the CUDA libraries
START_SECONDS = 600  # waiting for the file system, importing, and compiling the kernel for a new type of CPU
TIME_FACTOR = 4
"""Jobs get so many times the estimated seconds: a cluster's cores may be slower and shared, and numbers that underflow
slow the arithmetic down. A job that needs more than that is stopped, resumes, and has more time.
"""
FEATURES = 12  # dense inputs of a step at most; wider ones are indices
LANES = 16  # the fused kernel rounds a batch up to whole vectors
GUESSES_AT_ONCE = 64  # training/guessing.py
AT_ONCE = 256  # sequences per forward pass of an evaluation, training/evaluation.py
SAMPLED_BYTES = 16  # per sequence and step, what drawing it takes besides its inputs
SAMPLED_SECONDS = 2e-4  # drawing a batch
UPDATE_SECONDS = 6e-5  # of a replica, besides its steps
STEP_SECONDS = 1e-6  # of a replica, besides its arithmetic
WEIGHT_SECONDS = 1e-10  # per weight, sequence and step, forward and backward
EAGER_SECONDS = 1e-3  # a step of eager torch, forward and backward, however many replicas
EAGER_NUMBERS = 40  # that autograd keeps per unit, step and sequence
EAGER_FACTOR = 3  # eager arithmetic over the fused kernel's
EAGER_COPIES = 4  # that autograd makes of what a measurement goes back through
ALBUM_COPIES = 6  # of a measurement's snapshots: held, and while their checkpoint is written
MEASURED_FLOWS = 64  # sets of paths that a measurement goes back through, at most


class Need(NamedTuple):
    """The memory in bytes and the time in seconds that a job is estimated to take."""

    memory: float
    seconds: float

    def mem_mb(self, attempt: int) -> int:
        """Return the memory to request, in megabytes; a second attempt gets twice as much."""
        return attempt * _ceil((self.memory + CLUSTER_BYTES) / 1e6, step=100)

    def runtime(self, attempt: int) -> int:
        """Return the time to request, in minutes; a second attempt gets twice as much."""
        return attempt * _ceil((START_SECONDS + TIME_FACTOR * self.seconds) / 60, step=5)


def longest_sequence(lag: int) -> int:
    """Return the steps that a sequence of any task has at most at a lag (of temporal_order 2.75 lag)."""
    return max(3 * lag + 10, lag + 140)


def training_need(settings: Mapping[str, Any]) -> Need:
    """Return what a training job needs.

    Memory: the data of all seeds, one pass of an evaluation, and what the backward pass keeps, which is 4 (K + G H + H)
    bytes per step, replica and sequence (K = H + features + 1, G = 4 as of an LSTM) on the fused kernel.
    """
    job, how = settings, settings["training"]
    steps, units = longest_sequence(job["task"]["lag"]), job["model"]["hidden_size"]
    seeds = len(job["seeds"])
    replicas = seeds * len(job["learning_rates"])
    eager, number = how["kernel"] != "cpu" or job["device"] != "cpu", 8 if how["dtype"] == "float64" else 4
    weights = 4 * units * (units + FEATURES + 1)

    data = seeds * (how["validation_sequences"] + how["test_sequences"]) * steps * (4 * FEATURES + SAMPLED_BYTES)
    evaluation = min(AT_ONCE, max(how["validation_sequences"], how["test_sequences"])) * replicas * steps
    evaluation *= number * (FEATURES + (8 if eager else 1) * units)
    kept = EAGER_NUMBERS * units if eager else 6 * units + FEATURES + 1
    backward = number * kept * replicas * steps * _ceil(how["batch_size"], step=1 if eager else LANES)
    state = number * weights * replicas * 8  # best and last weights, gradient, moments
    process = PROCESS_BYTES + (GPU_PROCESS_BYTES if job["device"] == "cuda" else 0)

    updates = job["task"]["sequences"] // how["batch_size"]
    passes = how["test_sequences"] + how["validation_sequences"] * (updates / how["evaluate_every"] + 1)
    arithmetic = WEIGHT_SECONDS * weights * replicas * steps * (updates * how["batch_size"] + passes / 2)
    seconds = updates * (seeds * SAMPLED_SECONDS + replicas * (UPDATE_SECONDS + steps * STEP_SECONDS)) + arithmetic
    if eager and how["protocol"] != "online":  # which has a kernel of its own
        forward = passes / AT_ONCE / 3
        seconds += EAGER_SECONDS * steps * (updates + forward) + (EAGER_FACTOR - 1) * arithmetic
    return Need(process + data + evaluation + backward + state, seconds)


def measuring_need(settings: Mapping[str, Any]) -> Need:
    """Return what a job needs that trains and then measures the gradient, in float64 and eager."""
    job, trained = settings, training_need(settings)
    steps, units, details = longest_sequence(job["task"]["lag"]), job["model"]["hidden_size"], job["measurement"]
    replicas = len(job["seeds"]) * len(job["learning_rates"])
    states = EAGER_NUMBERS * units * replicas * details["sequences"]
    terms = MEASURED_FLOWS * replicas * 16 * units * (units + FEATURES + 1)
    errors = EAGER_COPIES * 8 * (states * steps + states * MEASURED_FLOWS + terms)
    how = job["training"]
    snapshots = job["task"]["sequences"] // how["batch_size"] // how["evaluate_every"] + 2
    number = 8 if how["dtype"] == "float64" else 4
    album = ALBUM_COPIES * number * snapshots * replicas * 4 * units * (units + FEATURES + 1)
    seconds = EAGER_SECONDS * MEASURED_FLOWS * steps * (3 + details["evaluations"] / 8)
    return Need(trained.memory + errors + album, trained.seconds + seconds)


def guessing_need(settings: Mapping[str, Any]) -> Need:
    """Return what a job needs that guesses weights."""
    details, how = settings["guessing"], settings["training"]
    size = details["validation_sequences"]
    protocol = {"protocol": "minibatch", "batch_size": 1, "evaluate_every": 1, "validation_sequences": size}
    once = {"seeds": [0], "learning_rates": [0.0] * GUESSES_AT_ONCE, "task": {**settings["task"], "sequences": 0}}
    guessed = training_need({**settings, **once, "training": {**how, **protocol, "test_sequences": size}})
    scored = training_need({**settings, **once, "training": {**how, **protocol}, "learning_rates": [0.0]})
    times = details["guesses"] / GUESSES_AT_ONCE
    return Need(max(guessed.memory, scored.memory), times * guessed.seconds + scored.seconds)


def _ceil(value: float, *, step: int) -> int:
    return -int(-value // step) * step
