"""Validation of a configuration: the type of every key, then the combinations that its grid requests."""

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from workflow.experiment.configuration import Configuration, Keys, Model, Task
from workflow.experiment.declarations import Declaration, Registry, is_met
from workflow.experiment.errors import format_names, format_pairs, format_value, make_error, require, require_name
from workflow.experiment.keys import add_options, validate_keys
from workflow.experiment.search import check_search

Config = Mapping[str, Any]
DEPTH = 12  # no configuration nests deeper; a YAML alias that contains itself does
LARGEST = 2**63
"""No number of a configuration is as large, and a job could not hold it."""


def validate(config: Config, *, registry: Registry) -> dict[str, Any]:
    """Return a complete configuration, whole numbers as integers and keys that are null for absent ones left out.

    The first mistake is a ConfigurationError.
    """
    config = normalise(config)
    validate_keys(config, model=Configuration)
    _check_definitions(config, registry=registry)
    config, *blocks = map(_drop_absent, (config, *config["grid"]))
    config["grid"] = blocks
    for key, names_given, names in _list_references(config, registry=registry):
        for name in names_given:
            require_name(key, name, names=names)
    _check_blocks(config)
    check_search(config)
    _check_published(config)
    _check_required_keys(config, registry=registry)
    _check_measurement(config)
    _check_protocol(config, registry=registry)
    for block in blocks:
        for task in block["tasks"]:
            _check_budget(config, task=task)
        for gradient in block["gradients"]:
            for model in block["models"]:
                _check_paths(config, gradient=gradient, model=model, registry=registry)
    return config


def normalise(value: Any, *, key: str = "", depth: int = 0) -> Any:
    """Return a value with whole numbers as integers, so that 1 and 1.0 are one setting.

    What JSON cannot hold is an error: keys that are no text, NaN and infinity, dates, aliases that contain themselves.
    """
    require(depth <= DEPTH, key, f"no more than {DEPTH} levels", "a value that nests deeper or contains itself")
    if isinstance(value, Mapping):
        for name in value:
            require(isinstance(name, str), key, "keys that are text", f"{format_value(name)}: put it in quotes")
        below = ((name, f"{key}.{name}" if key else name) for name in value)
        return {name: normalise(value[name], key=full, depth=depth + 1) for name, full in below}
    if isinstance(value, list | tuple):
        return [normalise(item, key=f"{key}[{number}]", depth=depth + 1) for number, item in enumerate(value)]
    if isinstance(value, float):
        require(math.isfinite(value), key, "a finite number", format_value(value))
    if isinstance(value, int | float) and abs(value) >= LARGEST:
        size = math.floor(math.log2(abs(value)))  # its digits may be too many to write
        raise make_error(key, f"expected a number between -2^63 and 2^63; came one of about 2^{size}")
    expected = "a number, text, true, false, null, a list or a mapping"
    require(isinstance(value, str | int | float | None), key, expected, format_value(value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _drop_absent(mapping: Config) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if value is not None}


def _check_definitions(config: Config, *, registry: Registry) -> None:
    """Check the keys of every task, model, optimiser and schedule with the options that its file declares."""
    for kind, base, declarations in (("tasks", Task, registry.tasks), ("models", Model, registry.cells)):
        for label, definition in config[kind].items():
            field = "task" if base is Task else "cell"
            key = f"{kind}.{label}.{field}"
            if field not in definition:
                raise make_error(key, f"the key is missing; expected one of {format_names(sorted(declarations))}")
            require_name(key, definition[field], names=declarations)
            _check_options(f"{kind}.{label}", definition, base=base, declaration=declarations[definition[field]])
    for kind, declarations in (("optimisers", registry.optimisers), ("schedules", registry.schedules)):
        for name, constants in config.get(kind, {}).items():
            require_name(f"{kind}.{name}", name, names=declarations, kind=kind[:-1])
            _check_options(f"{kind}.{name}", constants, base=Keys, declaration=declarations[name])


def _check_options(key: str, definition: Config, *, base: type[Keys], declaration: Declaration) -> None:
    validate_keys(definition, model=add_options(base, declaration.options, key=key), key=key)
    for rule in declaration.refused:
        if is_met(rule["when"], options=definition):
            came = format_pairs({name: definition[name] for name in rule["when"]})
            raise make_error(key, f"{rule['why']}; came {came}")
    for option, whole in declaration.divides.items():
        expected = f"a divisor of {whole} = {definition[whole]}"
        require(definition[whole] % definition[option] == 0, f"{key}.{option}", expected, definition[option])
    smallest = declaration.find_smallest_lag(definition)
    for lag in definition.get("lags", ()):
        if lag < smallest:
            task = f"task {definition['task']} ({format_pairs(declaration.select_options(definition))})"
            raise make_error(f"{key}.lags", f"expected lags >= {smallest} for {task}; came {lag}")


def _list_references(config: Config, *, registry: Registry) -> Iterator[tuple[str, list[str], Any]]:
    """Yield the keys whose values name something, the names that they give, and those that exist."""
    for number, block in enumerate(config["grid"]):
        for kind in ("tasks", "models", "gradients"):
            yield f"grid[{number}].{kind}", block[kind], config[kind]
    for kind, files in (("figures", registry.figures), ("tables", registry.tables)):
        yield kind, config[kind], files
    schedules = ["constant", *config.get("schedules", ())]
    names = {"protocol": registry.protocols, "kernel": registry.kernels, "optimiser": config["optimisers"]}
    for field, exists in (names | {"schedule": schedules}).items():
        yield f"training.{field}", [config["training"].get(field, "constant")], exists
    paths = {path for cell in registry.cells.values() for path in cell.paths}
    for label, gradient in config["gradients"].items():
        yield f"gradients.{label}.paths", gradient["paths"] if gradient["paths"] != "all" else [], paths
    for number, row in enumerate(config.get("published", ())):
        for field in ("task", "model"):
            yield f"published[{number}].{field}", [row[field]], config[f"{field}s"]
    yield "measurement.flows", config.get("measurement", {}).get("flows", []), config["gradients"]


def _check_blocks(config: Config) -> None:
    """Reject two blocks that run one condition with different seeds or learning rates."""
    for (first, block), (second, other) in combinations(enumerate(config["grid"]), 2):
        fields = ("devices", "tasks", "models", "gradients")
        shared = [sorted(set(block[field]) & set(other[field])) for field in fields]
        for field in ("seeds", "learning_rates") if all(shared) else ():
            expected, came = (each.get(field, config[field]) for each in (block, other))
            if set(expected) != set(came):
                condition = ", ".join(labels[0] for labels in shared)
                both = f"as grid[{first}] runs the condition ({condition}) of both blocks"
                reason = f"expected {format_value(expected)}, {both}; came {format_value(came)}"
                raise make_error(f"grid[{second}].{field}", reason)


def _check_required_keys(config: Config, *, registry: Registry) -> None:
    """Refuse a table, or a figure of a table, that a key of the configuration is missing for."""
    needs = [("tables", name, [name]) for name in config["tables"]]
    needs += [("figures", name, list(registry.figures[name].needs)) for name in config["figures"]]
    for kind, name, tables in needs:
        for key in (registry.tables[table].requires for table in tables):
            if key and key not in config:
                raise make_error(key, f"the key is missing; it is needed, as {kind} names {name}")


def _check_published(config: Config) -> None:
    """Refuse a published number that belongs to no condition of the grid, or to the same row as another."""
    rows = config.get("published", [])
    if rows and config["training"]["protocol"] != "online":
        raise make_error("published", "the published numbers count single sequences: expected training.protocol online")
    numbers: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows):
        key, task, model = f"published[{number}]", row["task"], row["model"]
        lags = config["tasks"][task]["lags"]
        require(row["lag"] in lags, f"{key}.lag", f"a lag of task {task} ({format_names(lags)})", row["lag"])
        if not any(task in block["tasks"] and model in block["models"] for block in config["grid"]):
            raise make_error(key, f"no block of the grid runs model {model} on task {task}")
        first = numbers.setdefault((row["table"], row["experiment"]), number)
        if first != number:
            raise make_error(f"{key}.experiment", f"published[{first}] is of this table and experiment too")


def _check_measurement(config: Config) -> None:
    if "measurement" not in config:
        return
    measurement, training = config["measurement"], config["training"]
    fits = training["protocol"] == "minibatch" and "search" not in config
    came = "a search" if "search" in config else f"training.protocol: {training['protocol']}"
    require(fits, "measurement", "training.protocol: minibatch and no search", came)
    for number, block in enumerate(config["grid"]):
        place = f"grid[{number}].learning_rates" if "learning_rates" in block else "learning_rates"
        rates, rate = block.get("learning_rates", config["learning_rates"]), measurement["learning_rate"]
        require(rate in rates, "measurement.learning_rate", f"one of {place}, {format_names(rates)}", rate)
    most, sequences = training["validation_sequences"], measurement["sequences"]
    expected = f"at most training.validation_sequences = {most}"
    require(sequences <= most, "measurement.sequences", expected, sequences)
    for label in measurement["flows"]:
        window = _drop_absent({key: config["gradients"][label].get(key) for key in ("num_steps", "k1", "k2")})
        came = f"{format_value(label)} with {format_pairs(window)}"
        require(not window, "measurement.flows", "gradients without a window", came)


def _check_protocol(config: Config, *, registry: Registry) -> None:
    """Refuse a setting, cell or task that the training protocol cannot have."""
    training = config["training"]
    name, optimiser, schedule = training["protocol"], training["optimiser"], training.get("schedule", "constant")
    protocol, constants = registry.protocols[name], config["optimisers"][optimiser]
    came = {"optimiser.name": ("training.optimiser", optimiser)}
    came["schedule"] = ("training.schedule", None if schedule == "constant" else schedule)
    came |= {f"training.{field}": (f"training.{field}", value) for field, value in training.items()}
    came |= {f"optimiser.{field}": (f"optimisers.{optimiser}.{field}", value) for field, value in constants.items()}
    for number, block in enumerate(config["grid"]):
        for device in block["devices"]:
            for path, expected in protocol.required.items():
                key, value = (came | {"device": (f"grid[{number}].devices", device)})[path]
                if value != expected:
                    demanded = format_value("constant" if path == "schedule" else expected)
                    raise make_error(key, f"protocol {name} demands {demanded}; came {format_value(value)}")
        for label in block["models"] if protocol.cells else ():
            able = sorted(cell for cell, file in registry.cells.items() if getattr(file, protocol.cells.lower(), False))
            cell, trained = config["models"][label]["cell"], f"protocol {name} trains the cells {format_names(able)}"
            if cell not in able:
                raise make_error(f"models.{label}.cell", f"{trained}; came {format_value(cell)}")
        for label in block["tasks"] if protocol.stop_rule else ():
            _check_stop_rule(label, config["tasks"][label], protocol=name, registry=registry)


def _check_stop_rule(label: str, definition: Config, *, protocol: str, registry: Registry) -> None:
    task = registry.tasks[definition["task"]]
    if not task.has_stop_rule(definition):
        rules = " or with ".join(format_pairs(rule["when"]) for rule in task.stops)
        able = f"{definition['task']} has one with {rules}" if rules else f"{definition['task']} has none"
        came = format_pairs(task.select_options(definition))
        raise make_error(f"tasks.{label}", f"protocol {protocol} needs a published stop rule: {able}; came {came}")


def _check_budget(config: Config, *, task: str) -> None:
    key, sequences, training = f"tasks.{task}.sequences", config["tasks"][task]["sequences"], config["training"]
    updates = sequences // training["batch_size"]
    expected = f"at least one batch of training.batch_size = {training['batch_size']}"
    require(updates >= 1, key, expected, sequences)
    expected = f"at most the {updates} updates that {key} = {sequences} allow"
    require(training["evaluate_every"] <= updates, "training.evaluate_every", expected, training["evaluate_every"])


def _check_paths(config: Config, *, gradient: str, model: str, registry: Registry) -> None:
    requested, definition = config["gradients"][gradient]["paths"], config["models"][model]
    available = registry.cells[definition["cell"]].find_paths(definition)
    for path in requested if requested != "all" else ():
        if path not in available:
            reason = (
                f"model {model} (cell {definition['cell']}) has no path {path}; its paths: {format_names(available)}"
            )
            raise make_error(f"gradients.{gradient}.paths", reason)
