"""An experiment: the conditions that a configuration requests, and what each training job is given."""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from records import paths
from records.blocks import Block, assign_blocks
from records.condition import Condition
from workflow.experiment.declarations import load_registry
from workflow.experiment.reading import merge, read
from workflow.experiment.search import expand_search
from workflow.experiment.source_tree import find_source_tree
from workflow.experiment.validation import validate

DEFAULT = Path("config", "default.yaml")


def complete(config: Mapping[str, Any], *, root: Path) -> dict[str, Any]:
    """Merge a configuration, which may be partial, over config/default.yaml."""
    return merge(read(root / DEFAULT), config)


class Experiment:
    """A validated configuration over the source tree at `root`; a mistake in it is a ConfigurationError."""

    def __init__(self, config: Mapping[str, Any], *, root: Path) -> None:
        self.root = root
        self.tree = find_source_tree(config, root=root)
        self.registry = load_registry(self.tree)
        self.given = validate(config, registry=self.registry)
        """The configuration as it was given; `config` has a model per hidden size that a search samples."""
        self.config = expand_search(self.given)
        self.place = paths.place(self.config["experiment"])
        self._digests: dict[tuple[str, ...], str] = {}

    @cached_property
    def conditions(self) -> list[Condition]:
        """The conditions of the grid, sorted, each once."""
        return sorted(self._blocks)

    @cached_property
    def _blocks(self) -> dict[Condition, Mapping[str, Any]]:
        """The block of the grid that requests each condition."""
        return {
            Condition(device, task, lag, model, gradient): block
            for block in self.config["grid"]
            for device, task, model, gradient in product(*map(block.get, ("devices", "tasks", "models", "gradients")))
            for lag in self.config["tasks"][task]["lags"]
        }

    @property
    def labels(self) -> dict[str, list[str]]:
        """The labels in the configuration's order, so that each keeps its colour and its place."""
        return {kind: list(self.config[kind]) for kind in ("models", "gradients", "tasks")}

    def restore_model(self, condition: Condition) -> Condition:
        """Return a condition with the model as it is configured, where a search has sampled its hidden size."""
        variants = self.config.get("search", {}).get("variants", {})
        return condition._replace(model=variants.get(condition.model, condition.model))

    @property
    def is_fused(self) -> bool:
        """Whether any condition trains with the fused kernel."""
        return self.config["training"]["kernel"] == "cpu" and any(c.device == "cpu" for c in self.conditions)

    def blocks(self, condition: Condition, *, existing: Iterable[tuple[int, ...]]) -> list[Block]:
        """Return the seed blocks of a condition: existing ones first, new ones for the seeds that they lack."""
        seeds = tuple(self._request(condition, "seeds"))
        return assign_blocks(seeds, existing=existing, size=self.config["seeds_per_job"])

    def settings(self, condition: Condition, seeds: Iterable[int]) -> dict[str, Any]:
        """Return everything that determines the numbers of one training job, and nothing else."""
        config, registry = self.config, self.registry
        task, model, training = config["tasks"][condition.task], config["models"][condition.model], config["training"]
        schedule = training.get("schedule", "constant")
        settings = {
            "device": condition.device,
            "seeds": sorted(seeds),
            "learning_rates": self._request(condition, "learning_rates"),
            "task": {
                "name": condition.task,
                "task": task["task"],
                "lag": condition.lag,
                "sequences": task["sequences"],
                "options": registry.tasks[task["task"]].select_options(task),
            },
            "model": {
                "name": condition.model,
                "cell": model["cell"],
                "hidden_size": model["hidden_size"],
                "options": registry.cells[model["cell"]].select_options(model),
            },
            "gradient": self._gradient(condition),
            "training": {name: value for name, value in training.items() if name not in ("optimiser", "schedule")},
            "optimiser": {"name": training["optimiser"], **config["optimisers"][training["optimiser"]]},
        }
        if schedule != "constant":  # which has never been a setting
            settings["schedule"] = {"name": schedule, **config["schedules"][schedule]}
        return settings

    def sources(self, condition: Condition, *, entry: str = "training.condition:train_condition") -> str:
        """Return the digest of the code that determines a condition's numbers; `entry` is the function of its job."""
        task, model = self.config["tasks"][condition.task]["task"], self.config["models"][condition.model]
        kernels = {self.config["training"]["kernel"], "reference"}  # reference runs what the other does not support
        begin = f"{entry.partition(':')[0].replace('.', '/')}.py"
        files = (begin, f"tasks/{task}.py", *model_files(model), *(f"models/kernels/{name}.py" for name in kernels))
        if not entry.startswith("training.guessing:"):
            files += (*training_files(self.config),)
        if files not in self._digests:
            self._digests[files] = self.tree.digest(files)
        return self._digests[files]

    def constraint(self, kind: str) -> str:
        """Return a pattern of the labels of a kind, for a wildcard."""
        return "|".join(map(re.escape, self.config[kind])) or "(?!)"

    def _request(self, condition: Condition, field: str) -> list[Any]:
        """Return the seeds or learning rates that a condition's block requests, or else the experiment, sorted."""
        return sorted(self._blocks.get(condition, {}).get(field, self.config[field]))

    def _gradient(self, condition: Condition) -> dict[str, Any]:
        gradient, model = self.config["gradients"][condition.gradient], self.config["models"][condition.model]
        is_full, num_steps = gradient["paths"] == "all", gradient.get("num_steps")
        return {
            "name": condition.gradient,
            "paths": sorted(self.registry.cells[model["cell"]].find_paths(model) if is_full else gradient["paths"]),
            "k1": gradient.get("k1") if num_steps is None else num_steps,
            "k2": gradient.get("k2") if num_steps is None else num_steps,
        }


def model_files(model: Mapping[str, Any]) -> list[str]:
    """Return the files that a model loads by name: its cell and, of cell `module`, the module's if it is in models/."""
    package = model.get("module", "").rpartition(".")[0]
    own = [f"{package.replace('.', '/')}.py"] if package.startswith("models.") else []
    return [f"models/{model['cell']}.py", *own]


def training_files(config: Mapping[str, Any]) -> list[str]:
    """Return the files that training loads by name: protocol, optimiser and, if not constant, schedule."""
    training, schedule = config["training"], config["training"].get("schedule", "constant")
    files = [f"training/protocols/{training['protocol']}.py", f"training/optimisers/{training['optimiser']}.py"]
    return files if schedule == "constant" else [*files, f"training/schedules/{schedule}.py"]
