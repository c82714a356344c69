"""The reference of all configuration keys, from the models of the configuration and the options that files declare."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workflow.experiment.configuration import (
    Baselines,
    Block,
    Configuration,
    Gradient,
    Keys,
    Measurement,
    Model,
    PublishedNumber,
    RateRange,
    Search,
    SizeRange,
    Task,
    Training,
)
from workflow.experiment.declarations import Declaration, load_registry
from workflow.experiment.keys import describe
from workflow.experiment.source_tree import SourceTree

SECTIONS: Mapping[str, type[Keys]] = {
    "the file": Configuration,
    "grid": Block,
    "tasks": Task,
    "models": Model,
    "gradients": Gradient,
    "training": Training,
    "baselines": Baselines,
    "measurement": Measurement,
    "search": Search,
    "search.hidden_size": SizeRange,
    "search.learning_rate": RateRange,
    "published": PublishedNumber,
}


def describe_keys(root: Path) -> str:
    """Return a table of keys per part of a configuration."""
    return "\n".join(line for name, model in SECTIONS.items() for line in _describe_model(name, model))


def describe_options(root: Path) -> str:
    """Return a table of the options that each task, cell, optimiser and schedule of the project declares."""
    registry = load_registry(SourceTree(root))
    files = {
        "tasks": registry.tasks,
        "models": registry.cells,
        "training/optimisers": registry.optimisers,
        "training/schedules": registry.schedules,
    }
    lines = ["| file | key | allowed | meaning |", "|---|---|---|---|"]
    lines += [line for folder, declared in files.items() for line in _describe_files(folder, declared)]
    return "\n".join(lines)


def _describe_model(name: str, model: type[Keys]) -> Iterator[str]:
    schema = model.model_json_schema()
    yield from (f"### `{name}`" if name != "the file" else "### The file", "", " ".join(str(model.__doc__).split()), "")
    yield from ("| key | allowed | meaning |", "|---|---|---|")
    for key, below in schema["properties"].items():
        optional = "" if key in schema.get("required", ()) else " (may be absent)"
        yield _format_row(f"`{key}`", describe(below, root=schema) + optional, below["description"])
    yield ""


def _describe_files(folder: str, declared: Mapping[str, Declaration]) -> Iterator[str]:
    for file, declaration in declared.items():
        for key, schema in declaration.options.items():
            yield _format_row(f"`{folder}/{file}.py`", f"`{key}`", describe(schema, root={}), schema["description"])


def _format_row(*cells: Any) -> str:
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |"
