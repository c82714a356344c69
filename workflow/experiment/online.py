"""Refusing what cannot be trained online, as in 1997: one sequence per update, and the task's published stop rule."""

from collections.abc import Mapping
from typing import Any

from workflow.experiment.declarations import Declaration, has_stop_rule, options_of
from workflow.experiment.errors import listed, refuse, shown

DEMANDS = {"optimiser": "sgd", "batch_size": 1, "clip_norm": None, "dtype": "float64"}


def check_online(
    config: Mapping[str, Any], *, tasks: Mapping[str, Declaration], cells: Mapping[str, Declaration]
) -> None:
    """Raise a ConfigurationError for the first setting, model or task of the grid that protocol online cannot have."""
    for name, value in DEMANDS.items():
        came = config["training"][name]
        if came != value:
            raise refuse(f"training.{name}", f"protocol online demands {shown(value)}; came {shown(came)}")
    momentum = config["optimisers"]["sgd"]["momentum"]
    if momentum != 0:
        raise refuse("optimisers.sgd.momentum", f"protocol online demands 0; came {shown(momentum)}")
    for number, block in enumerate(config["grid"]):
        if "cuda" in block["devices"]:
            raise refuse(f"grid[{number}].devices", "protocol online trains on the cpu; came 'cuda'")
        for label in block["models"]:
            _check_cell(f"models.{label}.cell", config["models"][label]["cell"], cells=cells)
        for label in block["tasks"]:
            _check_task(f"tasks.{label}", config["tasks"][label], tasks=tasks)


def _check_cell(key: str, cell: str, *, cells: Mapping[str, Declaration]) -> None:
    if not cells[cell].online:
        able = listed(sorted(name for name, declaration in cells.items() if declaration.online))
        raise refuse(key, f"protocol online trains the cells {able}; came {shown(cell)}")


def _check_task(key: str, definition: Mapping[str, Any], *, tasks: Mapping[str, Declaration]) -> None:
    declaration = tasks[definition["task"]]
    options = options_of(definition, declaration=declaration)
    if not has_stop_rule(declaration, options=options):
        rules = [", ".join(f"{name}: {shown(v)}" for name, v in rule["when"].items()) for rule in declaration.stops]
        able = (
            f"{definition['task']} has one with {' or with '.join(rules)}"
            if rules
            else f"{definition['task']} has none"
        )
        came = ", ".join(f"{name}: {shown(value)}" for name, value in options.items())
        raise refuse(key, f"protocol online needs a published stop rule: {able}; came {came}")
