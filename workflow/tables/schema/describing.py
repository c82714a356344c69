"""The documentation of all tables, from their docstrings and columns."""

from pathlib import Path

from workflow.experiment.sources import read_docstring
from workflow.experiment.tables import USUAL
from workflow.tables.schema.computing import load_table


def describe_tables(root: Path) -> str:
    """Return a section per table, the usual ones first: what a row is, and a table of its columns."""
    files = {path.stem: path for path in sorted((root / "workflow" / "tables").glob("[!_]*.py"))}
    return "\n".join(_describe(name, files[name]) for name in dict.fromkeys([*USUAL, *files]))


def _describe(name: str, path: Path) -> str:
    file = load_table(name)
    columns = {column: meaning.replace("|", r"\|") for column, (_, meaning) in file.COLUMNS.items()}
    lines = [f"## `{name}.csv`", "", read_docstring(path), ""]
    lines += [f"A row is named by {', '.join(f'`{column}`' for column in file.KEY)}.", ""]
    lines += ["| column | meaning |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{column}` | {meaning} |" for column, meaning in columns.items()), ""])
