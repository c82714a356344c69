"""Where code is found: the project's own folders, and the same folders of the user's plug-ins.

A plug-in is a folder with `tasks/`, `models/`, `figures/` and so on. Its files are found by name as the project's own
are, and the code in them is run: naming a folder in `plugins` or LAGBENCH_PLUGINS is the only way in for foreign code.
A file of a plug-in is named by the path that it would have in the project, so that no digest depends on where it lies.
"""

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow.experiment.errors import format_names, format_value, make_error
from workflow.experiment.sources import code_only, list_imports, parse

VARIABLE = "LAGBENCH_PLUGINS"
FOLDERS = {
    "tasks": Path("tasks"),
    "models": Path("models"),
    "optimisers": Path("training", "optimisers"),
    "schedules": Path("training", "schedules"),
    "protocols": Path("training", "protocols"),
    "tables": Path("workflow", "tables"),
    "figures": Path("workflow", "figures"),
}
"""The folders of a plug-in, and where their files would be in the project."""
TRAINED = ("tasks", "models", "training", "records")
"""The packages whose code can determine the numbers of a record."""


@dataclass(frozen=True)
class SourceTree:
    """The project at `root` with the user's plug-ins, absolute folders; the imports of each file are read once."""

    root: Path
    plugins: tuple[Path, ...] = ()
    _imports: dict[Path, list[Path]] = field(default_factory=dict, compare=False, repr=False)

    def locate(self, path: Path) -> Path:
        """Return the file that a path of the project names, there or in a plug-in."""
        own = self.root / path
        inside = [
            plugin / kind / path.relative_to(folder)
            for plugin in self.plugins
            for kind, folder in FOLDERS.items()
            if path.is_relative_to(folder)
        ]
        return next((file for file in (own, *inside) if file.is_file()), own)

    def list_files(self, kind: str) -> dict[str, Path]:
        """Return the Python files of a kind by name; two of one name are a ConfigurationError."""
        files: dict[str, Path] = {}
        for folder in (self.root / FOLDERS[kind], *(plugin / kind for plugin in self.plugins)):
            for file in folder.glob("[!_]*.py"):
                if file.stem in files:
                    raise make_error("plugins", f"{file} must have another name than {files[file.stem]}")
                files[file.stem] = file
        return dict(sorted(files.items()))

    def closure(self, entries: Iterable[str], *, packages: tuple[str, ...] = TRAINED) -> list[Path]:
        """Return the entry files and all that they import from the packages, directly or not, sorted."""
        closure: set[Path] = set()
        pending = [*map(Path, entries)]
        while pending:
            path = pending.pop()
            if path not in closure:
                closure.add(path)
                pending += [file for file in self._list_imports(path) if file.parts[0] in packages]
        return sorted(closure)

    def digest(self, entries: Iterable[str]) -> str:
        """Return the sha256 of the closure's code; comments, docstrings and blank lines do not count."""
        total = hashlib.sha256()
        for path in self.closure(entries):
            code = code_only(self.locate(path).read_text(encoding="utf-8"))
            total.update(f"{path.as_posix()}\0{code}\0".encode())
        return total.hexdigest()

    def list_analysis_files(self, entry: str) -> list[str]:
        """Return the files of `workflow` that a table or figure is computed by, relative to the working directory."""
        return [os.path.relpath(self.locate(path)) for path in self.closure([entry], packages=("workflow",))]

    def _list_imports(self, path: Path) -> list[Path]:
        """Return our files that importing a file runs first: its packages' __init__.py, and the modules it imports."""
        if path not in self._imports:
            packages = [above / "__init__.py" for above in path.parents[:-1]]
            modules = list_imports(parse(self.locate(path)), package=path.parent.parts)
            names = [Path(*module) for module in modules if module]
            files = (file for name in names for file in (name.with_suffix(".py"), name / "__init__.py"))
            self._imports[path] = [file for file in (*packages, *files) if self.locate(file).is_file()]
        return self._imports[path]


def find_source_tree(config: Mapping[str, Any], *, root: Path) -> SourceTree:
    """Return the source tree with the plug-ins of a configuration and of the environment variable LAGBENCH_PLUGINS."""
    listed = config["plugins"] if isinstance(config.get("plugins"), list) else []  # its type is checked with the others
    named = [(f"plugins[{number}]", folder) for number, folder in enumerate(listed) if isinstance(folder, str)]
    named += [(VARIABLE, folder) for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    for key, folder in named:
        if os.pathsep in folder or not any(Path(folder, kind).is_dir() for kind in FOLDERS):
            expected = "a folder, relative to the working directory, with at least one of"
            raise make_error(key, f"expected {expected} {format_names(FOLDERS)}; came {format_value(folder)}")
    return SourceTree(root, tuple(dict.fromkeys(Path(folder).absolute() for _, folder in named)))


def export_plugins(tree: SourceTree) -> None:
    """Let this process and its children import the files of the plug-ins: their packages read LAGBENCH_PLUGINS."""
    os.environ[VARIABLE] = os.pathsep.join(map(str, tree.plugins))
    for kind, folder in FOLDERS.items():
        package = sys.modules.get(".".join(folder.parts))
        if package is not None:  # was imported before the configuration was read
            places = [str(plugin / kind) for plugin in tree.plugins if (plugin / kind).is_dir()]
            package.__path__ = [*dict.fromkeys([*package.__path__, *places])]
