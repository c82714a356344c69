"""The run: one job trains all replicas of a condition's seed block and records their scores and curves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from records.condition import Condition
from records.paths import BLOCK, RUNS
from workflow.experiment.experiment import Experiment
from workflow.jobs import resources

RULE, ENTRY = "train", "training.condition:train_condition"
FOLDER, PATTERN = RUNS, BLOCK
PARTS = {"settings", "sources", "kernel", "sequence_length", "success_accuracy", "chance", "floor", "scored_steps"}
PARTS |= {"replicas", "curves"}
estimate_need = resources.training_need


def list_conditions(experiment: Experiment) -> list[Condition]:
    """Return the conditions that have runs."""
    return experiment.conditions


def build_settings(experiment: Experiment, condition: Condition, *, seeds: Sequence[int]) -> dict[str, Any]:
    """Return everything that determines the numbers of one job, and nothing else."""
    return experiment.settings(condition, seeds)


def select_seeds(record: Mapping[str, Any], *, seeds: Sequence[int]) -> dict[str, Any]:
    """Return a record with the replicas of the requested seeds alone; one that has not each once is a ValueError."""
    run = dict(record)
    for part in ("replicas", "curves"):
        run[part] = [row for row in record[part] if row["seed"] in seeds]
    count = Counter((replica["seed"], replica["learning_rate"]) for replica in run["replicas"])
    rates = record["settings"]["learning_rates"]
    for seed in seeds:
        for rate in rates:
            if count[seed, rate] != 1:
                raise ValueError(f"has {count[seed, rate]} replicas of seed {seed} at rate {rate}, not 1")
    if len(count) != len(seeds) * len(rates):
        raise ValueError("has replicas at learning rates that its own settings do not name")
    return run
