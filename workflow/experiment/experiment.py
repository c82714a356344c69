"""An experiment: the conditions that a configuration requests, and what each training job is given."""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from records import paths
from records.blocks import Block, assign_blocks
from records.condition import Condition
from workflow.experiment.declarations import Registry, find_paths, load_registry, select_options
from workflow.experiment.errors import make_error
from workflow.experiment.reading import merge, read
from workflow.experiment.search import expand_search, find_variants
from workflow.experiment.source_tree import SourceTree, find_source_tree
from workflow.experiment.sources import Sources
from workflow.experiment.validation import validate

DEFAULT = Path("config", "default.yaml")


class Replication(NamedTuple):
    """The replicas of a condition: every seed at every learning rate."""

    seeds: tuple[int, ...]
    learning_rates: tuple[float, ...]


def complete(config: Mapping[str, Any], *, root: Path) -> dict[str, Any]:
    """Merge a configuration, which may be partial, over config/default.yaml."""
    return merge(read(root / DEFAULT), config)


class Experiment:
    """A validated configuration over the source tree at `root`; a mistake in it is a ConfigurationError."""

    def __init__(self, config: Mapping[str, Any], *, root: Path) -> None:
        self.tree: SourceTree = find_source_tree(config, root=root)
        self.registry: Registry = load_registry(self.tree)
        self.given = validate(config, registry=self.registry)
        """The configuration as it was given; `config` has a model per hidden size that a search samples."""
        self.config = expand_search(self.given)
        self.root = root
        self.place = paths.place(self.config["experiment"])
        self.code = Sources(self.tree)
        self._digests: dict[tuple[str, ...], str] = {}

    @cached_property
    def conditions(self) -> list[Condition]:
        """The conditions of the grid, sorted, each once."""
        return sorted(self._replications)

    @cached_property
    def _replications(self) -> dict[Condition, Replication]:
        replications = {}
        for block in self.config["grid"]:
            replication = self._replication_of(block)
            for device, task, model, gradient in product(
                *(block[f] for f in ("devices", "tasks", "models", "gradients"))
            ):
                for lag in self.config["tasks"][task]["lags"]:
                    replications[Condition(device, task, lag, model, gradient)] = replication
        return replications

    @property
    def labels(self) -> dict[str, list[str]]:
        """The labels in the configuration's order, so that each keeps its colour and its place."""
        return {kind: list(self.config[kind]) for kind in ("models", "gradients", "tasks")}

    @property
    def search(self) -> dict[str, Any]:
        """The search as configured, with its `variants`: per label of a sampled model that of the configured one."""
        if "search" not in self.given:
            raise make_error("search", "the key is missing: this experiment has no random search")
        return self.given["search"] | {"variants": find_variants(self.given)}

    @property
    def published(self) -> list[dict[str, Any]]:
        """The published numbers as configured."""
        if "published" not in self.given:
            raise make_error("published", "the key is missing: this experiment reproduces no published numbers")
        numbers: list[dict[str, Any]] = self.given["published"]
        return numbers

    def restore_model(self, condition: Condition) -> Condition:
        """Return a condition with the model as it is configured, where a search has sampled its hidden size."""
        return condition._replace(model=find_variants(self.given).get(condition.model, condition.model))

    @property
    def is_fused(self) -> bool:
        """Whether any condition trains with the fused kernel."""
        return self.config["training"]["kernel"] == "cpu" and any(c.device == "cpu" for c in self.conditions)

    def blocks(self, condition: Condition, *, existing: Iterable[tuple[int, ...]]) -> list[Block]:
        """Return the seed blocks of a condition: existing ones first, new ones for the seeds that they lack."""
        return assign_blocks(self._replication(condition).seeds, existing=existing, size=self.config["seeds_per_job"])

    def settings(self, condition: Condition, seeds: Iterable[int]) -> dict[str, Any]:
        """Return everything that determines the numbers of one training job, and nothing else."""
        config = self.config
        task, model, training = config["tasks"][condition.task], config["models"][condition.model], config["training"]
        return {
            "device": condition.device,
            "seeds": sorted(seeds),
            "learning_rates": list(self._replication(condition).learning_rates),
            "task": {
                "name": condition.task,
                "task": task["task"],
                "lag": condition.lag,
                "sequences": task["sequences"],
                "options": select_options(task, declaration=self.registry.tasks[task["task"]]),
            },
            "model": {
                "name": condition.model,
                "cell": model["cell"],
                "hidden_size": model["hidden_size"],
                "options": select_options(model, declaration=self.registry.cells[model["cell"]]),
            },
            "gradient": self._gradient(condition),
            "training": {name: value for name, value in training.items() if name not in ("optimiser", "schedule")},
            "optimiser": {"name": training["optimiser"], **config["optimisers"][training["optimiser"]]},
        } | self._schedule()

    def sources(self, condition: Condition, *, entry: str = "training.condition:train_condition") -> str:
        """Return the digest of the code that determines a condition's numbers; `entry` is the function of its job."""
        task, model = self.config["tasks"][condition.task]["task"], self.config["models"][condition.model]
        files = (f"{entry.partition(':')[0].replace('.', '/')}.py", f"tasks/{task}.py", *model_files(model))
        if files not in self._digests:
            kernels = {self.config["training"]["kernel"], "reference"}  # reference runs what the other does not support
            trains = [] if entry.startswith("training.guessing:") else training_files(self.config)
            loaded = [*trains, *(f"models/kernels/{kernel}.py" for kernel in kernels)]
            self._digests[files] = self.code.digest([*files, *loaded])
        return self._digests[files]

    def constraint(self, kind: str) -> str:
        """Return a pattern of the labels of a kind, for a wildcard."""
        return "|".join(map(re.escape, self.config[kind])) or "(?!)"

    def _replication(self, condition: Condition) -> Replication:
        return self._replications.get(condition) or self._replication_of({})

    def _replication_of(self, block: Mapping[str, Any]) -> Replication:
        """Return what a block requests: its own seeds and learning rates, or else the experiment's."""
        seeds, rates = (block.get(field, self.config[field]) for field in ("seeds", "learning_rates"))
        return Replication(tuple(sorted(seeds)), tuple(sorted(rates)))

    def _schedule(self) -> dict[str, Any]:
        """Return the learning-rate schedule as a setting, which a constant one has never been."""
        name = self.config["training"].get("schedule", "constant")
        return {} if name == "constant" else {"schedule": {"name": name, **self.config["schedules"][name]}}

    def _gradient(self, condition: Condition) -> dict[str, Any]:
        gradient, model = self.config["gradients"][condition.gradient], self.config["models"][condition.model]
        cell = self.registry.cells[model["cell"]]
        available = find_paths(cell, options=select_options(model, declaration=cell))
        num_steps = gradient.get("num_steps")
        return {
            "name": condition.gradient,
            "paths": sorted(available if gradient["paths"] == "all" else gradient["paths"]),
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
