"""What the file of a task must hold before its sequences can be tested, each with a message that says what to do."""

import ast
from functools import cache
from importlib import import_module
from typing import Any

from tasks.task import load_task, task_classes, task_files
from tests.options import combinations

LAGS = (12, 17, 40)
NO_TASKS = ("__init__", "task")


class ContractError(Exception):
    """A file that breaks the contract of `tasks.task`: one line."""


def files_with_tasks() -> list[str]:
    """List the files of the package that define a subclass of Task, declare `LAGS`, or cannot be imported."""
    return [name for name in sorted(task_files()) if name not in NO_TASKS and _is_task_file(name)]


def _is_task_file(name: str) -> bool:
    try:
        module = import_module(f"tasks.{name}")
    except Exception:
        return True
    return hasattr(module, "LAGS") or bool(task_classes(module))


@cache
def structural_error(name: str) -> str | None:
    """Return the first thing that is wrong with the file of a task, in one line, or None."""
    try:
        for options in variants(name):
            for lag in LAGS:
                _check_task(name, lag=lag, options=options)
    except ContractError as error:
        return f"tasks/{name}.py: {error}"
    return None


def variants(name: str) -> list[dict[str, Any]]:
    """List the option combinations of a task that its `REFUSED` allows; at least one."""
    try:
        module = import_module(f"tasks.{name}")
    except Exception as error:
        raise ContractError(f"cannot be imported ({error!r}); mend the file") from error
    classes = task_classes(module)
    if len(classes) != 1:
        listed = ", ".join(kind.__name__ for kind in classes) or "none"
        raise ContractError(f"defines {len(classes)} subclasses of Task ({listed}); define one, the others elsewhere")
    for literal, example in (("LAGS", '[{"when": {}, "minimum": 1}]'), ("OPTIONS", "{}, or a JSON schema per option")):
        if not hasattr(module, literal):
            raise ContractError(f"declares no {literal}; add {literal} = {example}")
    literals = _literals(name)
    refused = [rule["when"] for rule in literals.get("REFUSED", [])]
    try:
        every = list(combinations(literals["OPTIONS"]))
    except ValueError as error:
        raise ContractError(f"OPTIONS: {error}") from error
    allowed = [options for options in every if not any(when.items() <= options.items() for when in refused)]
    if not allowed:
        raise ContractError(f"REFUSED leaves none of the {len(every)} option combinations")
    return allowed


def _literals(name: str) -> dict[str, Any]:
    """Read what the file declares as a configuration does, without running it."""
    literals = {}
    for node in ast.parse(task_files()[name].read_bytes()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(targets[0], ast.Name) and targets[0].id in ("OPTIONS", "LAGS", "REFUSED", "STOPS"):
            try:
                literals[targets[0].id] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            except ValueError as error:
                raise ContractError(
                    f"{targets[0].id} must be a literal, for it is read and not run: {error}"
                ) from error
    return literals


def _check_task(name: str, *, lag: int, options: dict[str, Any]) -> None:
    try:
        task = load_task(name, lag=lag, options=options)
    except Exception as error:
        raise ContractError(
            f"lag {lag} with {options} cannot be built ({error}); name options that do not go together in REFUSED"
        ) from error
    attributes = ("lag", "sequence_length", "features", "outputs", "first_target", "chance")
    absent = [attribute for attribute in attributes if not hasattr(task, attribute)]
    if absent:
        raise ContractError(f"__init__ must set {', '.join(absent)} (tasks/task.py says what they are)")
