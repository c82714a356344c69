"""The language of the code: identifiers are the words of Python, of the field and of the tools, no private ones."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("records", "tasks", "models", "training", "workflow", "benchmarks", "tests")
NO_NAMES = {"about", "beside", "drawn", "found", "known", "made", "of", "one", "owner", "rest"}
"""Participles and pronouns: no name of anything."""
NO_WORDS = {"asked", "dissect", "dissection", "refusal", "said", "say", "standing", "told", "wanted"}
"""Words that stand in no name, nor in a part of one; `report`, `decompose`, `requested`, `status` and so on do."""
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def list_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every name that a module gives to something, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield (node.id if isinstance(node, ast.Name) else node.attr), node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node.lineno


def is_private_word(name: str) -> bool:
    """Return whether a name is of the private dialect; the constant 1 is no pronoun."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    lower = [word.lower() for word in words]
    return name != "ONE" and (name.strip("_").lower() in NO_NAMES | NO_WORDS or bool(NO_WORDS & set(lower)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_are_words_that_a_stranger_would_grep_for(path: Path) -> None:
    names = {(name, line) for name, line in list_names(ast.parse(path.read_bytes())) if is_private_word(name)}
    if path.name.startswith("test_"):  # a test's name is a sentence
        names = {(name, line) for name, line in names if not name.startswith("test_")}
    assert not names, f"rename: {', '.join(f'{name} (line {line})' for name, line in sorted(names))}"
