"""What the files of tasks, cells, optimisers and so on declare, read from their source and never imported.

A file of tasks/ is a task if it declares `LAGS`, one of models/ a cell if it declares `PATHS`, one of
training/protocols/ a protocol if it declares `REQUIRED`, one of training/optimisers/ or training/schedules/ such if it
declares `OPTIONS`. All are literals; `Declaration` says what each means.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from workflow.experiment.errors import ConfigurationError
from workflow.experiment.source_tree import SourceTree


class Declaration(NamedTuple):
    """The literals of one file: `OPTIONS` is `options`, and so on."""

    options: Mapping[str, Mapping[str, Any]] = {}
    """JSON-schema properties of the file's own configuration keys, each with a `description`."""
    refused: Sequence[Mapping[str, Any]] = ()
    """Options that do not go together: `{"when": {option: value}, "why": reason}`."""
    lags: Sequence[Mapping[str, Any]] = ()
    """Of a task, the smallest lag under some options: `{"when": {...}, "minimum": n}`."""
    stops: Sequence[Mapping[str, Any]] = ()
    """Of a task, the options under which it has a published stop rule: `{"when": {...}}`."""
    paths: Mapping[str, Mapping[str, Any]] = {}
    """Of a cell, its recurrent paths, each with the options that it needs."""
    divides: Mapping[str, str] = {}
    """Of a cell, options that must divide another key: `{option: key}`."""
    online: bool = False
    """Of a cell: whether protocol online can train it."""
    required: Mapping[str, Any] = {}
    """Of a protocol, the settings of a job that it demands: `{"training.batch_size": 1}`."""
    cells: str = ""
    """Of a protocol, the literal that a cell must declare as true, such as `ONLINE`."""
    stop_rule: bool = False
    """Of a protocol: whether every task must have a published stop rule."""


class TableDeclaration(NamedTuple):
    """The literals of the file of a table, which say where the table comes from."""

    needs: Sequence[str] = ()
    """The tables that it is computed from."""
    optional: Sequence[str] = ()
    """Those that it joins where the configuration lists them."""
    records: str = ""
    """The kind of job from whose records it is computed."""
    entry: str = ""
    """The file of training/ that computes its rows."""
    settings: Any = ()
    """What this is called with, or `networks`: the initial networks of the grid."""
    requires: str = ""
    """A key without which a configuration cannot have the table."""


class Registry(NamedTuple):
    """What exists for a configuration to name."""

    tasks: dict[str, Declaration]
    cells: dict[str, Declaration]
    optimisers: dict[str, Declaration]
    schedules: dict[str, Declaration]
    protocols: dict[str, Declaration]
    figures: dict[str, Sequence[str]]
    """The tables that each reads besides the usual ones."""
    tables: dict[str, TableDeclaration]
    kernels: list[str]


def load_registry(tree: SourceTree) -> Registry:
    """Read the declarations of all files of a source tree and its plug-ins."""
    return Registry(
        tasks=_load(tree, kind="tasks", marker="LAGS"),
        cells=_load(tree, kind="models", marker="PATHS"),
        optimisers=_load(tree, kind="optimisers", marker="OPTIONS"),
        schedules=_load(tree, kind="schedules", marker="OPTIONS"),
        protocols=_load(tree, kind="protocols", marker="REQUIRED"),
        figures={
            name: read_literals(path, fields=("needs",)).get("needs", ())
            for name, path in tree.list_files("figures").items()
            if not name.startswith("_")
        },
        tables={
            name: TableDeclaration(**literals)
            for name, path in tree.list_files("tables").items()
            if (literals := read_literals(path, fields=TableDeclaration._fields))
        },
        kernels=_find_kernels(tree.root),
    )


def is_met(when: Mapping[str, Any], *, options: Mapping[str, Any]) -> bool:
    """Return whether options meet a condition."""
    return all(options[key] == value for key, value in when.items())


def select_options(definition: Mapping[str, Any], *, declaration: Declaration) -> dict[str, Any]:
    """Return a task's or model's own options out of its definition."""
    return {name: definition[name] for name in sorted(declaration.options)}


def find_smallest_lag(task: Declaration, *, options: Mapping[str, Any]) -> int:
    """Return the smallest lag that a task can have under its options."""
    return max([1, *(rule["minimum"] for rule in task.lags if is_met(rule["when"], options=options))])


def find_paths(cell: Declaration, *, options: Mapping[str, Any]) -> list[str]:
    """Return the paths along which error can flow in a cell under its options."""
    return [path for path, needs in cell.paths.items() if is_met(needs, options=options)]


def has_stop_rule(task: Declaration, *, options: Mapping[str, Any]) -> bool:
    """Return whether a task has a published stop rule under its options."""
    return any(is_met(rule["when"], options=options) for rule in task.stops)


def read_docstring(path: Path) -> str:
    """Return the docstring of a Python file, or nothing."""
    return ast.get_docstring(parse(path)) or ""


def parse(path: Path) -> ast.Module:
    """Parse a Python file, once for the same text; a syntax error in it is described in one line."""
    return _parse_source(path, path.read_bytes())


@cache
def _parse_source(path: Path, source: bytes) -> ast.Module:
    try:
        return ast.parse(source, filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigurationError(f"config: {path}{line}: not valid Python: {error.args[0]}") from error


def read_literals(path: Path, *, fields: Sequence[str]) -> dict[str, Any]:
    """Return those literals of a Python file that are named after fields, by their names in lower case."""
    literals = {}
    for node in parse(path).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and target.id.isupper() and target.id.lower() in fields:
                try:
                    literals[target.id.lower()] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
                except (ValueError, TypeError) as error:
                    reason = f"{target.id} must be a literal: it is read, not run"
                    raise ConfigurationError(f"config: {path}, line {node.lineno}: {reason}") from error
    return literals


def _load(tree: SourceTree, *, kind: str, marker: str) -> dict[str, Declaration]:
    files = {name: read_literals(path, fields=Declaration._fields) for name, path in tree.list_files(kind).items()}
    return {name: Declaration(**literals) for name, literals in files.items() if marker.lower() in literals}


def _find_kernels(root: Path) -> list[str]:
    """Return the names of the kernels: the files of models/kernels/ that define `unroll`."""
    files = (root / "models" / "kernels").glob("*.py")
    return sorted(p.stem for p in files if re.search(r"^def unroll\b", p.read_text(encoding="utf-8"), flags=re.M))
