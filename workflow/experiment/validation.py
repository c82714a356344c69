"""Validation of a configuration: the type of every key, then the combinations that its grid requests."""

import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

from workflow.experiment.configuration import Configuration, Gradient, Keys, Model, Task, Training
from workflow.experiment.declarations import (
    Declaration,
    Registry,
    find_paths,
    find_smallest_lag,
    is_met,
    select_options,
)
from workflow.experiment.errors import format_names, format_pairs, format_value, make_error, make_unknown_name_error
from workflow.experiment.keys import validate_keys
from workflow.experiment.options import add_options
from workflow.experiment.requirements import check_measurement, check_protocol, check_published
from workflow.experiment.search import check_search

DEPTH = 12  # no configuration nests deeper; a YAML alias that contains itself does
LARGEST = 2**63
"""No number of a configuration is as large, and a job could not hold it."""


def validate(config: Mapping[str, Any], *, registry: Registry) -> dict[str, Any]:
    """Return a complete configuration, whole numbers as integers and keys that are null for absent ones left out.

    The first mistake is a ConfigurationError.
    """
    check_plain(config)
    config = _unify(config)
    typed = validate_keys(config, model=Configuration)
    _check_definitions(config, registry=registry)
    for label, gradient in typed.gradients.items():
        _check_window(f"gradients.{label}", gradient)
    _check_names(typed, registry=registry)
    config = _drop_absent(config) | {"grid": [_drop_absent(block) for block in config["grid"]]}
    _check_blocks(config)
    check_search(config)
    check_published(config)
    _check_required_keys(config, registry=registry)
    check_measurement(config)
    check_protocol(config, registry=registry)
    for block in config["grid"]:
        for label in block["tasks"]:
            _check_budget(f"tasks.{label}", config["tasks"][label], training=typed.training)
        for gradient in block["gradients"]:
            for model in block["models"]:
                _check_paths(config, gradient=gradient, model=model, cells=registry.cells)
    return config


def check_plain(value: Any, *, key: str = "", depth: int = 0) -> None:
    """Reject what JSON cannot hold: keys that are no text, NaN and infinity, dates, aliases that contain themselves."""
    if depth > DEPTH:
        raise make_error(
            key, f"expected no more than {DEPTH} levels; came a value that nests deeper or contains itself"
        )
    if isinstance(value, Mapping):
        for name, below in value.items():
            if not isinstance(name, str):
                raise make_error(key, f"expected keys that are text; came {format_value(name)}: put it in quotes")
            check_plain(below, key=f"{key}.{name}" if key else name, depth=depth + 1)
    elif isinstance(value, list | tuple):
        for number, below in enumerate(value):
            check_plain(below, key=f"{key}[{number}]", depth=depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise make_error(key, f"expected a finite number; came {format_value(value)}")
    elif isinstance(value, int | float) and abs(value) >= LARGEST:
        size = math.floor(math.log2(abs(value)))  # its digits may be too many to write
        raise make_error(key, f"expected a number between -2^63 and 2^63; came one of about 2^{size}")
    elif not isinstance(value, str | int | float | None):
        expected = "a number, text, true, false, null, a list or a mapping"
        raise make_error(key, f"expected {expected}; came {format_value(value)}")


def _unify(value: Any) -> Any:
    """Write whole numbers as integers, so that 1 and 1.0 are one setting."""
    if isinstance(value, Mapping):
        return {name: _unify(below) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [_unify(below) for below in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _drop_absent(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if value is not None}


def _check_definitions(config: Mapping[str, Any], *, registry: Registry) -> None:
    """Check the keys of every task, model, optimiser and schedule with the options that its file declares."""
    for label, task in config["tasks"].items():
        key = f"tasks.{label}"
        declaration = _find_declaration(f"{key}.task", task, registry.tasks)
        _check_options(key, task, base=Task, declaration=declaration)
        _check_lags(key, task, declaration=declaration)
    for label, model in config["models"].items():
        declaration = _find_declaration(f"models.{label}.cell", model, registry.cells)
        _check_options(f"models.{label}", model, base=Model, declaration=declaration)
    for kind, declarations in (("optimisers", registry.optimisers), ("schedules", registry.schedules)):
        for name, constants in config.get(kind, {}).items():
            if name not in declarations:
                raise make_unknown_name_error(f"{kind}.{name}", kind=kind[:-1], came=name, names=declarations)
            _check_options(f"{kind}.{name}", constants, base=Keys, declaration=declarations[name])


def _find_declaration(key: str, definition: Mapping[str, Any], declarations: Mapping[str, Declaration]) -> Declaration:
    """Return the declaration that the last part of `key` names in a definition."""
    field = key.rpartition(".")[2]
    if field not in definition:
        raise make_error(key, f"the key is missing; expected one of {format_names(sorted(declarations))}")
    name = definition[field]
    if not isinstance(name, str) or name not in declarations:
        raise make_unknown_name_error(key, kind=field, came=name, names=declarations)
    return declarations[name]


def _check_options(key: str, definition: Mapping[str, Any], *, base: type[Keys], declaration: Declaration) -> None:
    validate_keys(definition, model=add_options(base, declaration, key=key), key=key)
    options = select_options(definition, declaration=declaration)
    for rule in declaration.refused:
        if is_met(rule["when"], options=options):
            raise make_error(key, f"{rule['why']}; came {format_pairs({name: options[name] for name in rule['when']})}")
    for option, whole in declaration.divides.items():
        if definition[whole] % definition[option]:
            reason = f"expected a divisor of {whole} = {definition[whole]}; came {definition[option]}"
            raise make_error(f"{key}.{option}", reason)


def _check_lags(key: str, task: Mapping[str, Any], *, declaration: Declaration) -> None:
    options = select_options(task, declaration=declaration)
    smallest = find_smallest_lag(declaration, options=options)
    for lag in task["lags"]:
        if lag < smallest:
            expected = f"lags >= {smallest} for task {task['task']} ({format_pairs(options)})"
            raise make_error(f"{key}.lags", f"expected {expected}; came {lag}")


def _check_window(key: str, gradient: Gradient) -> None:
    num_steps, k1, k2 = gradient.num_steps, gradient.k1, gradient.k2
    came = f"k1: {format_value(k1)}, k2: {format_value(k2)}"
    if num_steps is not None and (k1 is not None or k2 is not None):
        raise make_error(key, f"expected num_steps, or k1 and k2, not both; came num_steps: {num_steps} with {came}")
    if (k1 is None) != (k2 is None):
        missing = "k1" if k1 is None else "k2"
        raise make_error(f"{key}.{missing}", f"expected k1 and k2 together; came {came}")
    if k1 is not None and k2 is not None and k1 > k2:
        reason = f"expected k1 <= k2, else steps between the windows get no error; came {came}"
        raise make_error(f"{key}.k1", reason)


def _check_names(config: Configuration, *, registry: Registry) -> None:
    for number, block in enumerate(config.grid):
        for kind in ("tasks", "models", "gradients"):
            _check_each(f"grid[{number}].{kind}", getattr(block, kind), kind=kind[:-1], names=getattr(config, kind))
    training = config.training
    _check_each("figures", config.figures, kind="figure", names=registry.figures)
    _check_each("tables", config.tables, kind="table", names=registry.tables)
    _check_each("training.protocol", [training.protocol], kind="protocol", names=registry.protocols)
    _check_each("training.kernel", [training.kernel], kind="kernel", names=registry.kernels)
    _check_each("training.optimiser", [training.optimiser], kind="optimiser", names=config.optimisers)
    _check_each("training.schedule", [training.schedule], kind="schedule", names=["constant", *config.schedules])
    paths = {path for cell in registry.cells.values() for path in cell.paths}
    for label, gradient in config.gradients.items():
        listed = gradient.paths if gradient.paths != "all" else ()
        _check_each(f"gradients.{label}.paths", listed, kind="path", names=paths)


def _check_each(key: str, names_given: Iterable[str], *, kind: str, names: Iterable[str]) -> None:
    for name in names_given:
        if name not in names:
            raise make_unknown_name_error(key, kind=kind, came=name, names=names)


def _check_required_keys(config: Mapping[str, Any], *, registry: Registry) -> None:
    """Refuse a table, or a figure of a table, that a key of the configuration is missing for."""
    for kind, needs in (("tables", {name: [name] for name in config["tables"]}), ("figures", registry.figures)):
        for name in config[kind]:
            for key in (registry.tables[table].requires for table in needs[name]):
                if key and key not in config:
                    raise make_error(key, f"the key is missing; it is needed, as {kind} names {name}")


def _check_blocks(config: Mapping[str, Any]) -> None:
    """Reject two blocks that run one condition with different seeds or learning rates."""
    for (first, block), (second, other) in combinations(enumerate(config["grid"]), 2):
        fields = ("devices", "tasks", "models", "gradients")
        shared = [sorted(set(block[field]) & set(other[field])) for field in fields]
        if not all(shared):
            continue
        for field in ("seeds", "learning_rates"):
            expected, came = (each.get(field, config[field]) for each in (block, other))
            if set(expected) != set(came):
                condition = ", ".join(labels[0] for labels in shared)
                raise make_error(
                    f"grid[{second}].{field}",
                    f"expected {format_value(expected)}, as grid[{first}] runs the condition ({condition}) of both "
                    f"blocks; came {format_value(came)}",
                )


def _check_budget(key: str, task: Mapping[str, Any], *, training: Training) -> None:
    updates = task["sequences"] // training.batch_size
    if updates < 1:
        expected = f"at least one batch of training.batch_size = {training.batch_size}"
        raise make_error(f"{key}.sequences", f"expected {expected}; came {task['sequences']}")
    if training.evaluate_every > updates:
        expected = f"at most the {updates} updates that {key}.sequences = {task['sequences']} allow"
        raise make_error("training.evaluate_every", f"expected {expected}; came {training.evaluate_every}")


def _check_paths(config: Mapping[str, Any], *, gradient: str, model: str, cells: Mapping[str, Declaration]) -> None:
    requested = config["gradients"][gradient]["paths"]
    definition = config["models"][model]
    cell = cells[definition["cell"]]
    available = find_paths(cell, options=select_options(definition, declaration=cell))
    for path in requested if requested != "all" else ():
        if path not in available:
            reason = f"model {model} (cell {definition['cell']}) has no path {path}"
            raise make_error(f"gradients.{gradient}.paths", f"{reason}; its paths: {format_names(sorted(available))}")
