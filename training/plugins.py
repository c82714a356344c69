"""Files that are found by their name: optimisers, schedules and protocols, ours and those of plug-in folders.

The environment variable LAGBENCH_PLUGINS lists the plug-in folders, separated as in PATH.
"""

import importlib
import os
from collections.abc import Iterable, Mapping, MutableSequence
from pathlib import Path
from types import ModuleType
from typing import Any


def add_plugin_folders(package_path: MutableSequence[str], *, folder: str) -> None:
    """Extend a package's `__path__` by `folder` of every plug-in folder; a file name that is ours is a ValueError."""
    for plugin in filter(None, os.environ.get("LAGBENCH_PLUGINS", "").split(os.pathsep)):
        added = Path(plugin, folder).resolve()
        collisions = sorted(set(_file_names([str(added)])) & set(_file_names(package_path)))
        if collisions:
            raise ValueError(f"{added / collisions[0]}.py: {folder} has a file of this name already; rename this one")
        if added.is_dir() and str(added) not in package_path:
            package_path.append(str(added))


def load_module(folder: str, name: str) -> ModuleType:
    """Import file `name` of training/<folder>, say of `protocols`; an unknown name is a ValueError."""
    package = importlib.import_module(f"training.{folder}")
    names = _file_names(package.__path__)
    if name not in names:
        raise ValueError(f"unknown {folder.removesuffix('s')} {name!r}; known: {', '.join(names)}")
    return importlib.import_module(f"training.{folder}.{name}")


def load_instance(folder: str, name: str, *, base: type, options: Mapping[str, Any]) -> Any:
    """Build the one class of file `name` of training/<folder> that extends `base`, with its options.

    An unknown name, or options that are not those which the file declares in `OPTIONS`, are a ValueError.
    """
    module, kind = load_module(folder, name), folder.removesuffix("s")
    if set(options) != set(module.OPTIONS):
        expected, given = (", ".join(sorted(names)) or "no options" for names in (module.OPTIONS, options))
        raise ValueError(f"{kind} {name!r} takes {expected}; came: {given}")
    classes = [
        member
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, base) and member.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise ValueError(f"{module.__file__} must define one {base.__name__}; it defines {len(classes)}")
    return classes[0](**options)


def _file_names(folders: Iterable[str]) -> list[str]:
    files = (file for folder in folders for file in Path(folder).glob("*.py"))
    return sorted(file.stem for file in files if not file.stem.startswith("_"))
