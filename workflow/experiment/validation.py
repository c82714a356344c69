"""Refusing a configuration that cannot be run: against the schema, then for the combinations that its grid asks for."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from workflow.experiment import declarations
from workflow.experiment.declarations import Declaration
from workflow.experiment.errors import listed, refuse, shown, unknown
from workflow.experiment.measurement import check_measurement
from workflow.experiment.online import check_online
from workflow.experiment.published import check_published
from workflow.experiment.reading import read
from workflow.experiment.schema import check_plain, check_schema
from workflow.experiment.search import check_search

SCHEMA = Path("workflow", "schemas", "config.schema.yaml")


class Known(NamedTuple):
    """What exists on disk for a configuration to name."""

    tasks: dict[str, Declaration]
    cells: dict[str, Declaration]
    kernels: list[str]
    figures: dict[str, list[str]]
    """The tables that each reads besides the usual ones."""
    tables: dict[str, declarations.TableDeclaration]
    schema: dict[str, Any]


def known_at(root: Path) -> Known:
    """Look up what exists in a source tree."""
    return Known(
        tasks=declarations.tasks(root),
        cells=declarations.cells(root),
        kernels=declarations.kernels(root),
        figures=declarations.figures(root),
        tables=declarations.tables(root),
        schema=read(root / SCHEMA),
    )


def validate(config: Mapping[str, Any], *, known: Known) -> None:
    """Raise a ConfigurationError, in one line, for the first mistake of a complete configuration."""
    check_plain(config)
    check_schema(config, schema=known.schema)
    for label, task in config["tasks"].items():
        _check_definition(f"tasks.{label}", task, kind="task", declared=known.tasks, schema=known.schema)
    for label, model in config["models"].items():
        _check_definition(f"models.{label}", model, kind="model", declared=known.cells, schema=known.schema)
    for label, gradient in config["gradients"].items():
        _check_window(f"gradients.{label}", gradient)
    _check_names(config, known=known)
    _check_blocks(config)
    check_search(config)
    check_published(config)
    _check_required_keys(config, known=known)
    check_measurement(config)
    if config["training"]["protocol"] == "online":
        check_online(config, tasks=known.tasks, cells=known.cells)
    for block in config["grid"]:
        for label in block["tasks"]:
            _check_budget(f"tasks.{label}", config["tasks"][label], training=config["training"])
        for gradient in block["gradients"]:
            for model in block["models"]:
                _check_paths(config, gradient=gradient, model=model, cells=known.cells)


def _check_definition(
    key: str,
    definition: Mapping[str, Any],
    *,
    kind: str,
    declared: Mapping[str, Declaration],
    schema: Mapping[str, Any],
) -> None:
    own = schema["$defs"][kind]
    field = "task" if kind == "task" else "cell"
    if field not in definition:
        raise refuse(f"{key}.{field}", f"the key is missing; expected one of {listed(sorted(declared))}")
    if not isinstance(definition[field], str) or definition[field] not in declared:
        raise unknown(f"{key}.{field}", what=field, came=definition[field], known=declared)
    declaration = declared[definition[field]]
    properties = own["properties"] | declaration.options
    required = [*own["required"], *declaration.options]
    check_schema(
        definition, schema={"$defs": schema["$defs"], **own, "properties": properties, "required": required}, key=key
    )
    options = declarations.options_of(definition, declaration=declaration)
    for rule in declaration.refused:
        if declarations.met(rule["when"], options=options):
            came = ", ".join(f"{name}: {shown(options[name])}" for name in rule["when"])
            raise refuse(key, f"{rule['why']}; came {came}")
    for option, whole in declaration.divides.items():
        if definition[whole] % definition[option]:
            raise refuse(
                f"{key}.{option}", f"expected a divisor of {whole} = {definition[whole]}; came {definition[option]}"
            )
    if kind == "task":
        smallest = declarations.smallest_lag(declaration, options=options)
        for lag in definition["lags"]:
            if lag < smallest:
                of = ", ".join(f"{name}: {shown(value)}" for name, value in options.items())
                raise refuse(
                    f"{key}.lags", f"expected lags >= {smallest} for task {definition['task']} ({of}); came {lag}"
                )


def _check_window(key: str, gradient: Mapping[str, Any]) -> None:
    num_steps, k1, k2 = (gradient.get(name) for name in ("num_steps", "k1", "k2"))
    if num_steps is not None and (k1 is not None or k2 is not None):
        raise refuse(
            key,
            "expected num_steps, or k1 and k2, not both; "
            f"came num_steps: {num_steps} with k1: {shown(k1)}, k2: {shown(k2)}",
        )
    if (k1 is None) != (k2 is None):
        missing = "k1" if k1 is None else "k2"
        raise refuse(f"{key}.{missing}", f"expected k1 and k2 together; came k1: {shown(k1)}, k2: {shown(k2)}")
    if k1 is not None and k2 is not None and k1 > k2:
        raise refuse(
            f"{key}.k1", f"expected k1 <= k2, else steps between the windows get no error; came k1: {k1}, k2: {k2}"
        )


def _check_names(config: Mapping[str, Any], *, known: Known) -> None:
    for number, block in enumerate(config["grid"]):
        for field in ("tasks", "models", "gradients"):
            for label in block[field]:
                if label not in config[field]:
                    raise unknown(f"grid[{number}].{field}", what=field[:-1], came=label, known=config[field])
    for figure in config["figures"]:
        if figure not in known.figures:
            raise unknown("figures", what="figure", came=figure, known=known.figures)
    for table in config["tables"]:
        if table not in known.tables:
            raise unknown("tables", what="table", came=table, known=known.tables)
    training = config["training"]
    if training["kernel"] not in known.kernels:
        raise unknown("training.kernel", what="kernel", came=training["kernel"], known=known.kernels)
    if training["optimiser"] not in config["optimisers"]:
        raise unknown("training.optimiser", what="optimiser", came=training["optimiser"], known=config["optimisers"])
    paths = {path for cell in known.cells.values() for path in cell.paths}
    for label, gradient in config["gradients"].items():
        for path in gradient["paths"] if gradient["paths"] != "all" else ():
            if path not in paths:
                raise unknown(f"gradients.{label}.paths", what="path", came=path, known=paths)


def _check_required_keys(config: Mapping[str, Any], *, known: Known) -> None:
    """Refuse a table, or a figure of a table, that a key of the configuration is missing for."""
    for kind, needs in (("tables", {name: [name] for name in config["tables"]}), ("figures", known.figures)):
        for name in config[kind]:
            for key in (known.tables[table].requires for table in needs[name]):
                if key and key not in config:
                    raise refuse(key, f"the key is missing; it is needed, as {kind} names {name}")


def _check_blocks(config: Mapping[str, Any]) -> None:
    """Refuse two blocks that run one condition with different seeds or learning rates."""
    for (first, one), (second, other) in combinations(enumerate(config["grid"]), 2):
        shared = [sorted(set(one[field]) & set(other[field])) for field in ("devices", "tasks", "models", "gradients")]
        if not all(shared):
            continue
        for field in ("seeds", "learning_rates"):
            asked, came = (block.get(field, config[field]) for block in (one, other))
            if set(asked) != set(came):
                condition = ", ".join(labels[0] for labels in shared)
                raise refuse(
                    f"grid[{second}].{field}",
                    f"expected {shown(asked)}, as grid[{first}] runs the condition ({condition}) of both blocks; "
                    f"came {shown(came)}",
                )


def _check_budget(key: str, task: Mapping[str, Any], *, training: Mapping[str, Any]) -> None:
    updates = task["sequences"] // training["batch_size"]
    if updates < 1:
        raise refuse(
            f"{key}.sequences",
            f"expected at least one batch of training.batch_size = {training['batch_size']}; came {task['sequences']}",
        )
    if training["evaluate_every"] > updates:
        raise refuse(
            "training.evaluate_every",
            f"expected at most the {updates} updates that {key}.sequences = {task['sequences']} allow; "
            f"came {training['evaluate_every']}",
        )


def _check_paths(config: Mapping[str, Any], *, gradient: str, model: str, cells: Mapping[str, Declaration]) -> None:
    asked = config["gradients"][gradient]["paths"]
    definition = config["models"][model]
    cell = cells[definition["cell"]]
    available = declarations.available_paths(cell, options=declarations.options_of(definition, declaration=cell))
    for path in asked if asked != "all" else ():
        if path not in available:
            raise refuse(
                f"gradients.{gradient}.paths",
                f"model {model} (cell {definition['cell']}) has no path {path}; its paths: {listed(sorted(available))}",
            )
