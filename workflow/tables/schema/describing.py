"""The documentation of all tables, from their docstrings and columns."""

from pathlib import Path

from workflow.experiment.declarations import read_docstring
from workflow.tables.schema.computing import load_table

FIRST = ("summary", "curves", "provenance", "statistics", "comparisons", "baselines")


def describe_tables(root: Path) -> str:
    """Return a section per table: what a row is, and a table of its columns."""
    names = {path.stem for path in (root / "workflow" / "tables").glob("*.py")} - {"__init__"}
    return "\n".join(_describe(name, root) for name in [*FIRST, *sorted(names - set(FIRST))])


def _describe(name: str, root: Path) -> str:
    file = load_table(name)
    lines = [f"## `{name}.csv`", "", read_docstring(root / "workflow" / "tables" / f"{name}.py"), ""]
    lines += [f"A row is named by {', '.join(f'`{column}`' for column in file.KEY)}.", ""]
    lines += ["| column | meaning |", "|---|---|"]
    lines += [
        f"| `{column}` | {meaning.replace('|', chr(92) + '|')} |" for column, (_, meaning) in file.COLUMNS.items()
    ]
    return "\n".join([*lines, ""])
