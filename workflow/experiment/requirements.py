"""What a training protocol, a measurement and published numbers require of the rest of a configuration."""

from collections.abc import Mapping
from typing import Any

from workflow.experiment.declarations import Declaration, Registry, has_stop_rule, select_options
from workflow.experiment.errors import format_names, format_pairs, format_value, make_error, make_unknown_name_error


def check_protocol(config: Mapping[str, Any], *, registry: Registry) -> None:
    """Raise a ConfigurationError for the first setting, model or task of the grid that the protocol cannot have."""
    name = config["training"]["protocol"]
    protocol = registry.protocols[name]
    optimiser, schedule = config["training"]["optimiser"], config["training"].get("schedule", "constant")
    settings = {
        "training": config["training"],
        "optimiser": {"name": optimiser, **config["optimisers"][optimiser]},
        "schedule": None if schedule == "constant" else schedule,
    }
    keys = {"optimiser.name": "training.optimiser", "schedule": "training.schedule"}
    for path, expected in protocol.required.items():
        part, _, field = path.partition(".")
        came = settings[part][field] if field else settings.get(part, expected)
        if came != expected:
            key = keys.get(path) or path.replace("optimiser.", f"optimisers.{optimiser}.")
            expected = "constant" if path == "schedule" else expected
            raise make_error(key, f"protocol {name} demands {format_value(expected)}; came {format_value(came)}")
    for number, block in enumerate(config["grid"]):
        for device in block["devices"]:
            if device != protocol.required.get("device", device):
                reason = f"protocol {name} trains on the {protocol.required['device']}; came {format_value(device)}"
                raise make_error(f"grid[{number}].devices", reason)
        for label in block["models"]:
            _check_cell(f"models.{label}.cell", config["models"][label]["cell"], protocol=name, registry=registry)
        for label in block["tasks"] if protocol.stop_rule else ():
            _check_stop_rule(f"tasks.{label}", config["tasks"][label], protocol=name, tasks=registry.tasks)


def check_measurement(config: Mapping[str, Any]) -> None:
    """Raise a ConfigurationError for the first mistake of a measurement."""
    measurement = config.get("measurement")
    if measurement is None:
        return
    if config["training"]["protocol"] != "minibatch" or "search" in config:
        came = "a search" if "search" in config else f"training.protocol: {config['training']['protocol']}"
        raise make_error("measurement", f"expected training.protocol: minibatch and no search; came {came}")
    for number, block in enumerate(config["grid"]):
        rates, came = block.get("learning_rates", config["learning_rates"]), measurement["learning_rate"]
        if came not in rates:
            place = f"grid[{number}].learning_rates" if "learning_rates" in block else "learning_rates"
            raise make_error(
                "measurement.learning_rate", f"expected one of {place}, {format_names(rates)}; came {came}"
            )
    most = config["training"]["validation_sequences"]
    if measurement["sequences"] > most:
        expected = f"at most training.validation_sequences = {most}"
        raise make_error("measurement.sequences", f"expected {expected}; came {measurement['sequences']}")
    for label in measurement["flows"]:
        _check_measured_flow(label, gradients=config["gradients"])


def check_published(config: Mapping[str, Any]) -> None:
    """Raise a ConfigurationError for the first published number that belongs to no condition of the grid."""
    if "published" not in config:
        return
    if config["training"]["protocol"] != "online":
        raise make_error("published", "the published numbers count single sequences: expected training.protocol online")
    numbers: dict[tuple[str, str], int] = {}
    for number, row in enumerate(config["published"]):
        key = f"published[{number}]"
        for field in ("task", "model"):
            if row[field] not in config[f"{field}s"]:
                raise make_unknown_name_error(f"{key}.{field}", kind=field, came=row[field], names=config[f"{field}s"])
        lags = config["tasks"][row["task"]]["lags"]
        if row["lag"] not in lags:
            expected = f"a lag of task {row['task']} ({format_names(lags)})"
            raise make_error(f"{key}.lag", f"expected {expected}; came {row['lag']}")
        if not any(row["task"] in block["tasks"] and row["model"] in block["models"] for block in config["grid"]):
            raise make_error(key, f"no block of the grid runs model {row['model']} on task {row['task']}")
        first = numbers.setdefault((row["table"], row["experiment"]), number)
        if first != number:
            raise make_error(f"{key}.experiment", f"published[{first}] is of this table and experiment too")


def _check_cell(key: str, name: str, *, protocol: str, registry: Registry) -> None:
    literal = registry.protocols[protocol].cells.lower()
    if literal and not getattr(registry.cells[name], literal, False):
        able = sorted(cell for cell, declaration in registry.cells.items() if getattr(declaration, literal, False))
        reason = f"protocol {protocol} trains the cells {format_names(able)}; came {format_value(name)}"
        raise make_error(key, reason)


def _check_stop_rule(
    key: str, definition: Mapping[str, Any], *, protocol: str, tasks: Mapping[str, Declaration]
) -> None:
    declaration = tasks[definition["task"]]
    options = select_options(definition, declaration=declaration)
    if not has_stop_rule(declaration, options=options):
        rules = " or with ".join(format_pairs(rule["when"]) for rule in declaration.stops)
        able = f"{definition['task']} has one with {rules}" if rules else f"{definition['task']} has none"
        reason = f"protocol {protocol} needs a published stop rule: {able}; came {format_pairs(options)}"
        raise make_error(key, reason)


def _check_measured_flow(label: str, *, gradients: Mapping[str, Any]) -> None:
    if label not in gradients:
        raise make_unknown_name_error("measurement.flows", kind="gradient", came=label, names=gradients)
    window = {key: gradients[label][key] for key in ("num_steps", "k1", "k2") if gradients[label].get(key) is not None}
    if window:
        came = f"{format_value(label)} with {format_pairs(window)}"
        raise make_error("measurement.flows", f"expected gradients without a window; came {came}")
