"""What the files of tasks, cells, optimisers and so on declare, read from their source and never imported.

A file of tasks/ is a task if it declares `LAGS`, one of models/ a cell if it declares `PATHS`, one of
training/protocols/ a protocol if it declares `REQUIRED`, one of training/optimisers/ or training/schedules/ such if it
declares `OPTIONS`. All are literals; `Declaration` says what each means.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workflow.experiment.source_tree import SourceTree
from workflow.experiment.sources import read_literals

Options = Mapping[str, Any]
LITERALS = {
    "tasks": ("lags", "options", "refused", "stops"),
    "models": ("paths", "options", "refused", "divides", "online"),
    "optimisers": ("options", "refused"),
    "schedules": ("options", "refused"),
    "protocols": ("required", "cells", "stop_rule"),
    "tables": ("needs", "optional", "records", "entry", "settings", "requires"),
    "figures": ("needs",),
}
"""What a file of each kind may declare. It is one if it declares the first; a table any of them, a figure none."""


class Declaration(NamedTuple):
    """The literals of one file: `OPTIONS` is `options`, and so on. `when` has values of the file's own options."""

    options: Mapping[str, Mapping[str, Any]] = {}
    """JSON-schema properties of the file's own configuration keys, each with a `description`."""
    refused: Sequence[Mapping[str, Any]] = ()
    """Options that do not go together: `{"when": {option: value}, "why": reason}`."""
    lags: Sequence[Mapping[str, Any]] = ()
    """Of a task, the smallest lag under some options: `{"when": {...}, "minimum": n}`."""
    stops: Sequence[Mapping[str, Any]] = ()
    """Of a task, the options under which it has a published stop rule: `{"when": {...}}`."""
    paths: Mapping[str, Options] = {}
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
    needs: Sequence[str] = ()
    """Of a table, those that it is computed from; of a figure, those that it reads besides the usual ones."""
    optional: Sequence[str] = ()
    """Of a table, those that it joins where the configuration lists them."""
    records: str = ""
    """Of a table, the kind of job from whose records it is computed."""
    entry: str = ""
    """Of a table, the file of training/ that computes its rows."""
    settings: Any = ()
    """Of such a table, what this is called with, or `networks`: the initial networks of the grid."""
    requires: str = ""
    """Of a table, a key without which a configuration cannot have it."""

    def select_options(self, definition: Options) -> dict[str, Any]:
        """Return the file's own options out of the definition of a task or model."""
        return {name: definition[name] for name in sorted(self.options)}

    def find_smallest_lag(self, options: Options) -> int:
        """Return the smallest lag that a task can have under its options."""
        return max([1, *(rule["minimum"] for rule in self.lags if is_met(rule["when"], options=options))])

    def find_paths(self, options: Options) -> list[str]:
        """Return the paths along which error can flow in a cell under its options, sorted."""
        return sorted(path for path, needs in self.paths.items() if is_met(needs, options=options))

    def has_stop_rule(self, options: Options) -> bool:
        """Return whether a task has a published stop rule under its options."""
        return any(is_met(rule["when"], options=options) for rule in self.stops)


class Registry(NamedTuple):
    """What exists for a configuration to name."""

    tasks: dict[str, Declaration]
    cells: dict[str, Declaration]
    optimisers: dict[str, Declaration]
    schedules: dict[str, Declaration]
    protocols: dict[str, Declaration]
    tables: dict[str, Declaration]
    figures: dict[str, Declaration]
    kernels: list[str]


def load_registry(tree: SourceTree) -> Registry:
    """Read the declarations of all files of a source tree and its plug-ins."""
    kernels = (tree.root / "models" / "kernels").glob("*.py")
    return Registry(
        tasks=_load(tree, "tasks"),
        cells=_load(tree, "models"),
        optimisers=_load(tree, "optimisers"),
        schedules=_load(tree, "schedules"),
        protocols=_load(tree, "protocols"),
        tables=_load(tree, "tables"),
        figures=_load(tree, "figures"),
        kernels=sorted(path.stem for path in kernels if "\ndef unroll(" in path.read_text(encoding="utf-8")),
    )


def is_met(when: Options, *, options: Options) -> bool:
    """Return whether options meet a condition."""
    return all(options[key] == value for key, value in when.items())


def _load(tree: SourceTree, kind: str) -> dict[str, Declaration]:
    declarations = {}
    for name, path in tree.list_files(kind).items():
        literals = read_literals(path, fields=LITERALS[kind])
        if kind == "figures" or (literals if kind == "tables" else LITERALS[kind][0] in literals):
            declarations[name] = Declaration(**literals)
    return declarations
