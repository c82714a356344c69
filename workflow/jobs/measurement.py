"""The measurement: one job trains a condition's seed block and measures its gradient at snapshots of the training."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from records.condition import Condition
from records.paths import BLOCK, MEASUREMENTS
from workflow.experiment.errors import make_error
from workflow.experiment.experiment import Experiment
from workflow.jobs import resources

RULE, ENTRY = "measure", "training.gradients.measurement:measure_condition"
FOLDER, PATTERN = MEASUREMENTS, BLOCK
PARTS = {"settings", "sources", "snapshots", "u", "flows", "paths", "attribution", "alignment"}
estimate_need = resources.measuring_need


def list_conditions(experiment: Experiment) -> list[Condition]:
    """Return the conditions that are measured; a configuration without the key `measurement` is refused."""
    _read_config(experiment)
    return experiment.conditions


def build_settings(experiment: Experiment, condition: Condition, *, seeds: Sequence[int]) -> dict[str, Any]:
    """Return everything that determines the numbers of one job, and nothing else."""
    config = _read_config(experiment)
    return experiment.settings(condition, seeds) | {
        "learning_rates": [config["learning_rate"]],
        "measurement": {
            "sequences": config["sequences"],
            "evaluations": config["evaluations"],
            "flows": _flows(experiment, condition, labels=config["flows"]),
        },
    }


def select_seeds(record: Mapping[str, Any], *, seeds: Sequence[int]) -> dict[str, Any]:
    """Return a record with the seeds whose rows the tables hold."""
    return record | {"seeds": set(seeds)}  # type: ignore[operator]


def _read_config(experiment: Experiment) -> dict[str, Any]:
    if "measurement" not in experiment.config:
        raise make_error("measurement", "the key is missing: this experiment measures no gradients")
    config: dict[str, Any] = experiment.config["measurement"]
    return config


def _flows(experiment: Experiment, condition: Condition, *, labels: Iterable[str]) -> dict[str, list[str]]:
    """Return the paths of the flows that a model can have."""
    config = experiment.config
    model = config["models"][condition.model]
    available = experiment.registry.cells[model["cell"]].find_paths(model)
    paths = {label: config["gradients"][label]["paths"] for label in labels}
    flows = {label: available if names == "all" else names for label, names in paths.items()}
    return {label: sorted(names) for label, names in flows.items() if set(names) <= set(available)}
