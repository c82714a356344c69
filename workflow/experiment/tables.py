"""The tables of an experiment: which it computes, from what, and in which order; their files are read, not imported."""

from graphlib import TopologicalSorter
from typing import Any

from workflow.experiment.experiment import Experiment

USUAL = ("summary", "curves", "provenance", "statistics", "comparisons")


def list_tables(experiment: Experiment) -> list[str]:
    """Return the tables of an experiment: the usual ones, and those that its configuration lists.

    In a random search the pairs of sampled models are many and of no interest: `odyssey` compares the variants.
    """
    usual = [name for name in USUAL if name != "comparisons" or "search" not in experiment.config]
    return list(dict.fromkeys([*usual, *experiment.config["tables"]]))


def list_inputs(experiment: Experiment, name: str) -> list[str]:
    """Return the tables that a table is computed from: those that it needs, and listed ones that it joins."""
    file = experiment.registry.tables[name]
    return [*file.needs, *(table for table in file.optional if table in experiment.config["tables"])]


def sort_tables(experiment: Experiment) -> list[str]:
    """Return the tables of an experiment, those of its figures and all that these need, each after its inputs."""
    graph: dict[str, list[str]] = {}
    pending = list_tables(experiment)
    pending += [table for name in experiment.config["figures"] for table in experiment.registry.figures[name].needs]
    while pending:
        name = pending.pop()
        if name not in graph:
            graph[name] = list_inputs(experiment, name)
            pending += graph[name]
    return list(TopologicalSorter(dict(sorted(graph.items()))).static_order())


def match_tables(experiment: Experiment, source: str) -> str:
    """Return a pattern of the tables that declare a source (`needs`, `records` or `entry`), for a wildcard."""
    return "|".join(name for name, file in experiment.registry.tables.items() if getattr(file, source))


def list_settings(experiment: Experiment, name: str) -> list[dict[str, Any]]:
    """Return what the entry point of a table is called with, one call after another."""
    settings = experiment.registry.tables[name].settings
    return list_networks(experiment) if settings == "networks" else list(settings)


def list_networks(experiment: Experiment) -> list[dict[str, Any]]:
    """Return what determines the initial networks and the sequences of every task, lag and model of the grid."""
    networks = {}
    for condition in experiment.conditions:
        settings = experiment.settings(condition, experiment.config["seeds"])
        del settings["task"]["sequences"]
        network = {part: settings[part] for part in ("seeds", "task", "model")}
        networks[condition.task, condition.lag, condition.model] = network
    return [networks[key] for key in sorted(networks)]


def compute_sources(experiment: Experiment, name: str) -> str:
    """Return the digest of the code that determines the numbers of a table with an entry point."""
    files = {experiment.registry.tables[name].entry, "models/kernels/reference.py", "models/lstm.py"}
    for network in list_networks(experiment):
        files |= {f"tasks/{network['task']['task']}.py", f"models/{network['model']['cell']}.py"}
    return experiment.tree.digest(files)
