"""Classes that are found by the name of their file: optimisers, schedules and protocols.

The file `training/optimisers/adam.py`, or `optimisers/adam.py` of a plug-in folder, defines one `Optimiser`, and so on.
"""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import TypeVar

Base = TypeVar("Base")


def load_class(base: type[Base], name: str) -> tuple[type[Base], ModuleType]:
    """Load the one class that extends `base` from the file of this name, and its module; otherwise a ValueError."""
    kind = base.__name__.removeprefix("Training").lower()
    package = importlib.import_module(f"training.{kind}s")
    files = [file for folder in package.__path__ if (file := Path(folder, f"{name}.py")).is_file()]
    if not files:
        names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
        raise ValueError(f"unknown {kind} {name!r}; known: {', '.join(names)}")
    if len(files) > 1:
        raise ValueError(f"the plug-in's file {files[1]} must have another name than {files[0]}; rename it")
    module = importlib.import_module(f"{package.__name__}.{name}")
    members = (member for member in vars(module).values() if isinstance(member, type) and issubclass(member, base))
    classes = [member for member in members if member.__module__ == module.__name__]
    if len(classes) != 1:
        raise ValueError(f"{files[0]} must define one {base.__name__}; it defines {len(classes)}")
    return classes[0], module


def load_instance(base: type[Base], name: str, **options: object) -> Base:
    """Build the optimiser or schedule of this name.

    An unknown name, or options that are not those which the file declares in `OPTIONS`, are a ValueError.
    """
    built, module = load_class(base, name)
    if set(options) != set(module.OPTIONS):
        expected, given = (", ".join(sorted(names)) or "no options" for names in (module.OPTIONS, options))
        raise ValueError(f"{base.__name__.lower()} {name!r} takes {expected}; came: {given}")
    return built(**options)
