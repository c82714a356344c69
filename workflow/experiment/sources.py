"""What the text of a Python file holds, read and never run: its imports, its code, its docstring and its literals."""

import ast
import io
import tokenize
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from workflow.experiment.errors import ConfigurationError


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


def read_docstring(path: Path) -> str:
    """Return the docstring of a Python file, or nothing."""
    return ast.get_docstring(parse(path)) or ""


def read_literals(path: Path, *, fields: Collection[str]) -> dict[str, Any]:
    """Return those constants of a Python file that are named after fields, by their names in lower case."""
    literals = {}
    for node in parse(path).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for name in (target.id for target in targets if isinstance(target, ast.Name)):
            if name.isupper() and name.lower() in fields:
                try:
                    literals[name.lower()] = ast.literal_eval(node.value or "")
                except (ValueError, TypeError) as error:
                    reason = f"{name} must be a literal: it is read, not run"
                    raise ConfigurationError(f"config: {path}, line {node.lineno}: {reason}") from error
    return literals


@cache
def list_imports(tree: ast.AST, *, package: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the dotted names that a module imports, `from a import b` as both a and a.b; not those for types only."""
    modules: list[tuple[str, ...]] = []
    for node in _walk_executed(tree):
        if isinstance(node, ast.Import):
            modules += (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = (*above, *(node.module.split(".") if node.module else ()))
            modules += (module, *((*module, alias.name) for alias in node.names))
    return list(dict.fromkeys(modules))


def _walk_executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those under `if TYPE_CHECKING:`."""
    yield tree
    is_for_types = isinstance(tree, ast.If) and ast.unparse(tree.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    for node in tree.orelse if is_for_types else ast.iter_child_nodes(tree):  # type: ignore[attr-defined]
        yield from _walk_executed(node)


@cache
def code_only(source: str) -> str:
    """Return the source without comments, docstrings, blank lines and trailing blanks (of any Python version alike)."""
    tree = ast.parse(source)
    lines = io.StringIO(source).readlines()
    inside = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr)
        for number in range(node.lineno, node.end_lineno or 0)
    }  # lines that end inside a string: their blanks are content
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column] + "\n"
    for text in sorted(_docstrings(tree), key=lambda text: (text.lineno, text.col_offset), reverse=True):
        first, last = text.lineno - 1, text.end_lineno or text.lineno
        before, after = lines[first].encode()[: text.col_offset], lines[last - 1].encode()[text.end_col_offset :]
        lines[first:last] = [(before + after.rstrip()).decode() + "\n", *["\n"] * (last - first - 1)]
        inside -= {*range(text.lineno, last + 1)}
    stripped = (line if number in inside else line.rstrip() + "\n" for number, line in enumerate(lines, start=1))
    return "".join(line for number, line in enumerate(stripped, start=1) if number in inside or line.strip())


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield every string that is a statement of its own: docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value
