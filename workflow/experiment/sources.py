"""The source files that determine a result: import closures from the code itself, and their digest.

A plug-in's file counts under the path that it would have in the project (`models/mine.py`), not where it lies.
"""

import ast
import hashlib
import io
import os
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from workflow.experiment.declarations import parse
from workflow.experiment.source_tree import SourceTree

TRAINED = ("tasks", "models", "training", "records")


class Sources:
    """The code of a source tree, each file read once; only files of `packages` count."""

    def __init__(self, tree: SourceTree, *, packages: tuple[str, ...] = TRAINED) -> None:
        self.tree = tree
        self.packages = packages
        self._imports: dict[Path, list[Path]] = {}
        self._texts: dict[Path, str] = {}

    def closure(self, entries: Iterable[str]) -> list[Path]:
        """Return the entry files and all that they import from the packages, directly or not, sorted."""
        closure: set[Path] = set()
        pending = [path for entry in entries for path in self._add_packages(Path(entry))]
        while pending:
            path = pending.pop()
            if path not in closure:
                closure.add(path)
                pending += self._find_imports(path)
        return sorted(closure)

    def digest(self, entries: Iterable[str]) -> str:
        """Return the sha256 of the closure's code; comments, docstrings and blank lines do not count."""
        total = hashlib.sha256()
        for path in self.closure(entries):
            if path not in self._texts:
                self._texts[path] = code_only(self.locate(path).read_text(encoding="utf-8"))
            total.update(f"{path.as_posix()}\0{self._texts[path]}\0".encode())
        return total.hexdigest()

    def locate(self, path: Path) -> Path:
        """Return the file that a path of the project names, there or in a plug-in."""
        return self.tree.locate(path) or self.tree.root / path

    def _find_imports(self, path: Path) -> list[Path]:
        if path not in self._imports:
            modules = _list_modules(parse(self.locate(path)), path.parent.parts)
            self._imports[path] = [file for module in modules for file in self._find_files(module)]
        return self._imports[path]

    def _find_files(self, module: tuple[str, ...]) -> list[Path]:
        """Return the files that importing a module runs: its packages' __init__.py and itself, where they exist."""
        if not module or module[0] not in self.packages:
            return []
        path = Path(*module)
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if self.tree.locate(candidate):
                return self._add_packages(candidate)
        return []

    def _add_packages(self, path: Path) -> list[Path]:
        packages = [parent / "__init__.py" for parent in path.parents if parent != Path(".")]
        return [path, *(package for package in packages if self.tree.locate(package))]


def imported_modules(tree: ast.AST, *, package: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the dotted names that a module imports, `from a import b` as both a and a.b; not those for types only."""
    for node in _walk_executed(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = (*above, *(node.module.split(".") if node.module else ()))
            yield module
            for alias in node.names:
                yield (*module, alias.name)


@cache
def _list_modules(tree: ast.AST, package: tuple[str, ...]) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(imported_modules(tree, package=package)))


def _walk_executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those under `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for branch in node.orelse:
                yield branch
                yield from _walk_executed(branch)
        else:
            yield from _walk_executed(node)


@cache
def code_only(source: str) -> str:
    """Return the source without comments, docstrings, blank lines and trailing blanks (of any Python version alike)."""
    tree = ast.parse(source)
    lines = io.StringIO(source).readlines()
    kept = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno is not None
        for number in range(node.lineno, node.end_lineno)
    }  # lines that end inside a string: their blanks are content
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column] + "\n"
    for text in sorted(_docstrings(tree), key=lambda text: (text.lineno, text.col_offset), reverse=True):
        _cut(lines, text)
        kept -= set(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    ends = (line if number in kept else line.rstrip() + "\n" for number, line in enumerate(lines, start=1))
    return "".join(line for number, line in enumerate(ends, start=1) if number in kept or line.strip())


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield every string that stands alone as a statement: docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


def _cut(lines: list[str], node: ast.Constant) -> None:
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = lines[first].encode()[: node.col_offset].decode()
    after = lines[last].encode()[node.end_col_offset :].decode()
    lines[first : last + 1] = [before + after.rstrip() + "\n"] + ["\n"] * (last - first)


def list_analysis_sources(tree: SourceTree, entry: str) -> list[str]:
    """Return the files of `workflow` that a table or figure is computed by, relative to the working directory."""
    sources = Sources(tree, packages=("workflow",))
    return [os.path.relpath(sources.locate(path)) for path in sources.closure([entry])]
