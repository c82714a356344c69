"""Where code is found: the project's own folders, and the same folders of the user's plug-ins.

A plug-in is a folder with `tasks/`, `models/`, `figures/` and so on. Its files are found by name as the project's own
are, and the code in them is run: naming a folder in `plugins` or LAGBENCH_PLUGINS is the only way in for foreign code.
A file of a plug-in is named by the path that it would have in the project, so that no digest depends on where it lies.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from workflow.experiment.errors import format_value, make_error

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


class SourceTree(NamedTuple):
    """The project at `root` with the user's plug-ins, absolute folders."""

    root: Path
    plugins: tuple[Path, ...] = ()

    def locate(self, path: Path) -> Path | None:
        """Return the file that a path of the project names, there or in a plug-in, or None."""
        return next((file for file in self._candidates(path) if file.is_file()), None)

    def list_files(self, kind: str) -> dict[str, Path]:
        """Return the Python files of a kind by name; two of one name are a ConfigurationError."""
        folders = [self.root / FOLDERS[kind], *(plugin / kind for plugin in self.plugins)]
        files: dict[str, Path] = {}
        for file in (file for folder in folders for file in sorted(folder.glob("*.py"))):
            if file.stem == "__init__":
                continue
            if file.stem in files:
                raise make_error("plugins", f"{file} must have another name than {files[file.stem]}")
            files[file.stem] = file
        return dict(sorted(files.items()))

    def _candidates(self, path: Path) -> list[Path]:
        inside = [
            plugin / kind / path.relative_to(folder)
            for plugin in self.plugins
            for kind, folder in FOLDERS.items()
            if path.is_relative_to(folder)
        ]
        return [self.root / path, *inside]


def find_source_tree(config: Mapping[str, Any], *, root: Path) -> SourceTree:
    """Return the source tree with the plug-ins of a configuration and of the environment variable LAGBENCH_PLUGINS."""
    listed = config.get("plugins")
    named = [(f"plugins[{number}]", folder) for number, folder in enumerate(listed if isinstance(listed, list) else [])]
    named += [(VARIABLE, folder) for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    plugins: dict[Path, None] = {}
    for key, folder in named:
        if not isinstance(folder, str):
            continue  # its type is checked with those of the other keys
        path = Path(folder).absolute()
        if os.pathsep in folder or not any((path / kind).is_dir() for kind in FOLDERS):
            kinds = ", ".join(f"{kind}/" for kind in FOLDERS)
            reason = f"expected a folder, relative to the working directory, with at least one of {kinds}"
            raise make_error(key, f"{reason}; came {format_value(folder)}")
        plugins[path] = None
    return SourceTree(root, tuple(plugins))


def export_plugins(tree: SourceTree) -> None:
    """Let this process and its children import the files of the plug-ins: their packages read LAGBENCH_PLUGINS."""
    os.environ[VARIABLE] = os.pathsep.join(map(str, tree.plugins))
    for kind, folder in FOLDERS.items():
        package = sys.modules.get(".".join(folder.parts))
        if package is not None:  # was imported before the configuration was read
            places = [str(plugin / kind) for plugin in tree.plugins if (plugin / kind).is_dir()]
            package.__path__ = [*dict.fromkeys([*package.__path__, *places])]
