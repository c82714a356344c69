"""The reference of all configuration keys, from the models of the configuration and the options that files declare."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.experiment import configuration
from workflow.experiment.configuration import Keys
from workflow.experiment.declarations import load_registry
from workflow.experiment.keys import describe
from workflow.experiment.source_tree import FOLDERS, SourceTree

SECTIONS: Mapping[str, type[Keys]] = {
    "": configuration.Configuration,
    "grid": configuration.Block,
    "tasks": configuration.Task,
    "models": configuration.Model,
    "gradients": configuration.Gradient,
    "training": configuration.Training,
    "baselines": configuration.Baselines,
    "measurement": configuration.Measurement,
    "search": configuration.Search,
    "search.hidden_size": configuration.Range[configuration.Size],
    "search.learning_rate": configuration.Range[configuration.Rate],
    "published": configuration.PublishedNumber,
}


def describe_keys(root: Path) -> str:
    """Return a table of keys per part of a configuration."""
    lines = []
    for name, model in SECTIONS.items():
        schema = model.model_json_schema()
        title = f"### `{name}`" if name else "### The file"
        meaning = model.__doc__ or configuration.Range.__doc__  # which the class for a type does not have
        lines += [title, "", " ".join(str(meaning).split()), "", "| key | allowed | meaning |", "|---|---|---|"]
        for key, below in schema["properties"].items():
            optional = "" if key in schema.get("required", ()) else " (may be absent)"
            lines.append(_format_row(f"`{key}`", describe(below, root=schema) + optional, below["description"]))
        lines.append("")
    return "\n".join(lines)


def describe_options(root: Path) -> str:
    """Return a table of the options that each task, cell, optimiser and schedule of the project declares."""
    registry = load_registry(SourceTree(root))
    kinds = {"tasks": registry.tasks, "models": registry.cells}
    kinds |= {"optimisers": registry.optimisers, "schedules": registry.schedules}
    lines = ["| file | key | allowed | meaning |", "|---|---|---|---|"]
    for kind, files in kinds.items():
        for name, file in files.items():
            for key, schema in file.options.items():
                allowed, path = describe(schema, root={}), f"{FOLDERS[kind].as_posix()}/{name}.py"
                lines.append(_format_row(f"`{path}`", f"`{key}`", allowed, schema["description"]))
    return "\n".join(lines)


def _format_row(*cells: Any) -> str:
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |"
