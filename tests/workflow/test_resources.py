"""What jobs ask of a cluster: covers what was measured, and grows with the condition and the attempt."""

import csv
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from records.condition import Condition
from records.paths import RecordPath
from tasks.task import load_task
from workflow.experiment.declarations import load_registry
from workflow.experiment.experiment import Experiment, complete
from workflow.experiment.reading import merge, read
from workflow.experiment.source_tree import SourceTree
from workflow.jobs.resources import (
    FEATURES,
    TIME_FACTOR,
    guessing_need,
    longest_sequence,
    measuring_need,
    training_need,
)

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference" / "default"
BASE = Condition("cpu", "adding", 100, "lstm", "full")


@lru_cache
def base():
    """The settings of one training job of the main job."""
    return Experiment(complete({}, root=ROOT), root=ROOT).settings(BASE, range(5))


def settings(**changes):
    """The same with some keys changed."""
    return merge(base(), changes)


def measured():
    """The settings, peak memory and seconds of every published run of the main job."""
    experiment = Experiment(complete(read(REFERENCE / "config.yaml"), root=ROOT), root=ROOT)
    with (REFERENCE / "provenance.csv").open() as file:
        for row in csv.DictReader(file):
            run = RecordPath.from_path(row["run"])
            settings = experiment.settings(run.condition, run.seeds)
            yield settings, int(row["peak_memory_bytes"]), float(row["wall_seconds"])


def test_requests_cover_what_was_measured_and_are_no_multiple_of_it():
    runs = list(measured())
    assert len(runs) == 96
    for text, memory, seconds in runs:
        need = training_need(text)
        assert 1.25 < need.memory / memory < 3
        assert 1 < need.seconds / seconds < 25  # as if no replica stopped before its budget
        assert need.mem_mb(1) <= 2000
        assert TIME_FACTOR * seconds < 60 * need.runtime(1) <= 60 * 30


GROWING = {
    "lag": {"task": {"lag": 1000}},
    "replicas": {"seeds": list(range(50))},
    "rates": {"learning_rates": [0.001 * n for n in range(1, 40)]},
    "hidden size": {"model": {"hidden_size": 256}},
    "batch": {"training": {"batch_size": 512}},
    "kernel": {"training": {"kernel": "reference"}},
    "device": {"device": "cuda"},
}


@pytest.mark.parametrize("what", GROWING)
def test_memory_grows_with_the_condition(what):
    assert training_need(settings(**GROWING[what])).mem_mb(1) > training_need(settings()).mem_mb(1)


@pytest.mark.parametrize("what", [*(name for name in GROWING if name != "batch"), "budget"])
def test_time_grows_with_the_condition(what):
    changes = GROWING.get(what, {"task": {"sequences": 320_000}})
    assert training_need(settings(**changes)).runtime(1) > training_need(settings()).runtime(1)


def test_a_further_attempt_gets_that_many_times_as_much():
    need = training_need(settings())
    assert [need.mem_mb(attempt) for attempt in (1, 2, 3)] == [need.mem_mb(1) * attempt for attempt in (1, 2, 3)]
    assert [need.runtime(attempt) for attempt in (1, 2, 3)] == [need.runtime(1) * attempt for attempt in (1, 2, 3)]


def test_measuring_takes_more_than_training_and_guessing_less():
    text = settings(learning_rates=[0.01])
    trained = training_need(text)
    measurement = {"measurement": {"sequences": 64, "evaluations": 20, "flows": {}}}
    need = measuring_need(text | measurement)
    assert need.memory > trained.memory
    assert need.seconds > trained.seconds
    job = text
    often = merge(job, measurement | {"training": {"evaluate_every": 1}})  # a snapshot each, also in the checkpoint
    snapshot = len(job["seeds"]) * 4 * 4 * job["model"]["hidden_size"] ** 2
    count = job["task"]["sequences"] // job["training"]["batch_size"]
    assert measuring_need(often).memory - need.memory > 4 * count * snapshot
    guess = {key: job[key] for key in ("device", "task", "model")}
    guess |= {"training": {key: job["training"][key] for key in ("kernel", "dtype", "test_sequences")}}
    guess |= {"guessing": complete({}, root=ROOT)["baselines"]}
    assert 0 < guessing_need(guess).seconds < trained.seconds


@pytest.mark.parametrize("label", sorted(load_registry(SourceTree(ROOT)).tasks))
@pytest.mark.parametrize("lag", [12, 100, 1000])
def test_no_task_has_longer_sequences_or_wider_inputs(label, lag):
    definitions = read(ROOT / "config/hochreiter1997_long.yaml")["tasks"] | complete({}, root=ROOT)["tasks"]
    definition = next(d for d in definitions.values() if d["task"] == label)
    options = {k: v for k, v in definition.items() if k not in ("task", "lags", "sequences")}
    task = load_task(label, lag=lag, options=options)
    assert task.sequence_length <= longest_sequence(lag)
    batch = task.sample(np.random.default_rng(0), 8)
    assert batch.inputs.nbytes <= 8 * task.sequence_length * 4 * FEATURES


def test_jobs_request_what_is_computed_and_a_gpu_where_they_train_on_one(workspace):
    grid = [{"devices": ["cpu", "cuda"], "tasks": ["adding"], "models": ["rnn"], "gradients": ["full"]}]
    workspace.configure(grid=grid)
    experiment = workspace.load_experiment()
    jobs = {job.wildcards["device"]: job for job in workspace.plan().select("train") if job.wildcards["lag"] == "2"}
    for device, gpu in (("cpu", 0), ("cuda", 1)):
        need = training_need(experiment.settings(Condition(device, "adding", 2, "rnn", "full"), range(3)))
        requested = {name: jobs[device].resources[name] for name in ("mem_mb", "runtime", "gpu")}
        assert requested == {"mem_mb": need.mem_mb(1), "runtime": need.runtime(1), "gpu": gpu}


def test_the_slurm_profile_has_no_option_that_the_plugin_lacks():
    profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/profile.yaml").read_text())
    assert profile["slurm-status-command"] == "squeue"
    assert profile["slurm-requeue"] is True
    assert "slurm-array-jobs" not in profile
