"""The baseline: one job guesses the weights of a model at random, on one task at one lag, for all its gradients."""

from collections.abc import Mapping, Sequence
from typing import Any

from records.condition import Condition
from records.paths import BASELINE
from workflow.experiment.experiment import Experiment
from workflow.jobs import resources

RULE, ENTRY = "baseline", "training.guessing:guess_condition"
FOLDER, PATTERN = "baselines", BASELINE
PARTS = {"settings", "sources", "success_accuracy", "chance", "best"}
USED = ("kernel", "dtype", "test_sequences")
"""Of the keys of `training`: a guess is not trained."""
estimate_need = resources.guessing_need


def list_conditions(experiment: Experiment) -> list[Condition]:
    """Return the conditions that have baselines, without gradients; all sampled sizes of a model share one."""
    return sorted({experiment.restore_model(condition)._replace(gradient="") for condition in experiment.conditions})


def build_settings(experiment: Experiment, condition: Condition, *, seeds: Sequence[int] = ()) -> dict[str, Any]:
    """Return everything that determines the numbers of one job, and nothing else."""
    config = experiment.config
    whole = experiment.settings(condition._replace(gradient=next(iter(config["gradients"]))), [0])
    return {
        "device": condition.device,
        "task": {name: value for name, value in whole["task"].items() if name != "sequences"},
        "model": whole["model"],
        "training": {name: config["training"][name] for name in USED},
        "guessing": config["baselines"],
    }


def select_seeds(record: Mapping[str, Any], *, seeds: Sequence[int]) -> dict[str, Any]:
    """Return the record: it has no seeds."""
    return dict(record)
