"""What the files of tasks/ and models/ declare about themselves, read from their source and never imported.

A file of tasks/ that declares `LAGS` is a task, one of models/ that declares `PATHS` is a cell. Both declare `OPTIONS`
(JSON-schema properties of their own configuration keys) and may declare `REFUSED`: option values that do not go
together, `{"when": {...}, "why": ...}`, and a cell `DIVIDES`: options that must divide another key, `{option: key}`. A
cell that can be trained online declares `ONLINE = True`; a task declares in `STOPS` under which options it has a
published stop rule: `{"when": {...}}`.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from records.plugins import list_plugin_folders
from workflow.experiment.errors import ConfigurationError

LITERALS = ("LAGS", "PATHS", "OPTIONS", "REFUSED", "DIVIDES", "ONLINE", "STOPS")
TABLE_LITERALS = ("NEEDS", "OPTIONAL", "RECORDS", "ENTRY", "SETTINGS", "REQUIRES")


class Declaration(NamedTuple):
    """The literals of one task or cell file."""

    options: dict[str, Any]
    refused: list[dict[str, Any]]
    lags: list[dict[str, Any]]
    paths: dict[str, dict[str, Any]]
    divides: dict[str, str]
    online: bool = False
    stops: Sequence[dict[str, Any]] = ()


class TableDeclaration(NamedTuple):
    """What the file of a table declares about where the table comes from."""

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


def tasks(root: Path) -> dict[str, Declaration]:
    """Return the tasks on disk by name."""
    return _declared(root, folder="tasks", marker="LAGS")


def cells(root: Path) -> dict[str, Declaration]:
    """Return the cells on disk by name."""
    return _declared(root, folder="models", marker="PATHS")


def kernels(root: Path) -> list[str]:
    """Return the names of the kernels on disk: the files that define `unroll`."""
    files = (root / "models" / "kernels").glob("*.py")
    return sorted(path.stem for path in files if re.search(r"^def unroll\b", path.read_text(), flags=re.MULTILINE))


def figures(root: Path) -> dict[str, list[str]]:
    """Return the figures on disk by name, with the tables that each reads beside the usual ones."""
    files = _list_files(root / "workflow" / "figures")
    return {path.stem: list(_literals(path).get("NEEDS", ())) for path in files if not path.stem.startswith("_")}


def tables(root: Path) -> dict[str, TableDeclaration]:
    """Return the tables that a configuration can list, by name: the files that declare what they are computed from."""
    declared = {}
    for path in _list_files(root / "workflow" / "tables"):
        literals = {name.lower(): value for name, value in _literals(path).items() if name in TABLE_LITERALS}
        if literals:
            declared[path.stem] = TableDeclaration(**literals)
    return declared


def _list_files(folder: Path) -> list[Path]:
    """Return the files of a folder, and those of the folder of its name in every plug-in."""
    folders = [folder, *map(Path, list_plugin_folders(folder.name))]
    return sorted(path for place in folders for path in place.glob("*.py"))


def docstring(path: Path) -> str:
    """Return the docstring of a Python file, or nothing."""
    return ast.get_docstring(parse(path)) or ""


def parse(path: Path) -> ast.Module:
    """Parse a Python file; a syntax error in it is told in one line."""
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigurationError(f"config: {path}{line}: not valid Python: {error.args[0]}") from error


def met(when: Mapping[str, Any], *, options: Mapping[str, Any]) -> bool:
    """Say whether options meet a condition."""
    return all(options[key] == value for key, value in when.items())


def options_of(definition: Mapping[str, Any], *, declaration: Declaration) -> dict[str, Any]:
    """Return a task's or model's own options out of its definition."""
    return {name: definition[name] for name in sorted(declaration.options)}


def smallest_lag(task: Declaration, *, options: Mapping[str, Any]) -> int:
    """Return the smallest lag that a task can have under its options."""
    return max([1, *(rule["minimum"] for rule in task.lags if met(rule["when"], options=options))])


def available_paths(cell: Declaration, *, options: Mapping[str, Any]) -> list[str]:
    """Return the paths along which error can flow in a cell under its options."""
    return [path for path, needs in cell.paths.items() if met(needs, options=options)]


def has_stop_rule(task: Declaration, *, options: Mapping[str, Any]) -> bool:
    """Say whether a task has a published stop rule under its options."""
    return any(met(rule["when"], options=options) for rule in task.stops)


def _declared(root: Path, *, folder: str, marker: str) -> dict[str, Declaration]:
    found = {}
    for path in sorted((root / folder).glob("*.py")):
        literals = _literals(path)
        if marker in literals:
            found[path.stem] = Declaration(
                options=literals.get("OPTIONS", {}),
                refused=literals.get("REFUSED", []),
                lags=literals.get("LAGS", []),
                paths=literals.get("PATHS", {}),
                divides=literals.get("DIVIDES", {}),
                online=literals.get("ONLINE", False),
                stops=literals.get("STOPS", []),
            )
    return found


def _literals(path: Path) -> dict[str, Any]:
    literals = {}
    for node in parse(path).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and target.id in (*LITERALS, *TABLE_LITERALS):
                try:
                    literals[target.id] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
                except (ValueError, TypeError) as error:
                    raise ConfigurationError(
                        f"config: {path}, line {node.lineno}: {target.id} must be a literal: it is read, not run"
                    ) from error
    return literals
