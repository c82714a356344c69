"""Every table declares where it comes from, what names its rows, and what its columns mean."""

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.settings import tiny
from workflow.experiment.declarations import load_registry
from workflow.experiment.experiment import Experiment
from workflow.experiment.source_tree import SourceTree
from workflow.experiment.tables import list_settings
from workflow.operations.document import SECTIONS, replace_section
from workflow.tables.schema.computing import load_table

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path.stem for path in (ROOT / "workflow" / "tables").glob("*.py") if path.stem != "__init__")
DECLARED = load_registry(SourceTree(ROOT)).tables
OWN_RULE = {"coverage", "findings"}  # of partial results, and of the claims
DTYPES = {"str", "int64", "Int64", "float64", "bool"}


def test_every_file_is_a_table_with_a_source() -> None:
    assert set(FILES) == set(DECLARED) | OWN_RULE
    for name, table in DECLARED.items():
        sources = [bool(table.needs), bool(table.records), bool(table.entry)]
        assert sum(sources) == 1, f"{name}.py: declare one of NEEDS, RECORDS and ENTRY"
        assert {*table.needs, *table.optional} <= set(DECLARED), f"{name}.py: NEEDS and OPTIONAL are names of tables"


@pytest.mark.parametrize("name", FILES)
def test_rows_have_a_key_and_columns_have_types_and_meanings(name: str) -> None:
    table = load_table(name)
    assert ast.get_docstring(ast.parse((ROOT / "workflow" / "tables" / f"{name}.py").read_text(encoding="utf-8")))
    assert set(table.KEY) <= set(table.COLUMNS), f"{name}.py: KEY names columns of COLUMNS"
    for column, (dtype, meaning) in table.COLUMNS.items():
        assert dtype in DTYPES, f"{name}.py: column {column} has the type {dtype}; known: {', '.join(sorted(DTYPES))}"
        assert meaning, f"{name}.py: say what column {column} means"


@pytest.mark.parametrize(("name", "section"), SECTIONS)
def test_generated_documentation_is_up_to_date(name: str, section: str) -> None:
    """A new file of the project may lack its rows: adding a task, cell or table is one file and one config entry."""
    text = (ROOT / name).read_text(encoding="utf-8")
    expected = replace_section(text, section, SECTIONS[name, section](ROOT))
    outdated = set(text.splitlines()) - set(expected.splitlines())
    assert not outdated, f"{name} is not up to date: run `python -m workflow document`"


@pytest.mark.parametrize("name", [name for name, table in DECLARED.items() if table.entry])
def test_an_entry_point_computes_rows_from_what_its_rule_gives(name: str) -> None:
    settings = list_settings(Experiment(tiny(), root=ROOT), name)[0]
    entry = DECLARED[name].entry.removesuffix(".py").replace("/", ".")
    row = next(iter(import_module(entry).compute_rows(settings | {"seeds": settings["seeds"][:1]})))
    assert set(row) == set(load_table(name).COLUMNS)


TABLE = '''
"""A table of a plug-in: one row per task."""
from workflow.tables.schema.columns import count, text

NEEDS = ("summary",)
KEY = ("task",)
COLUMNS = {"task": text("its label"), "replicas": count("how many")}

def compute(tables, experiment):
    return tables["summary"].groupby("task", as_index=False).agg(replicas=("seed", "size"))
'''
COMPUTE = """
import pandas as pd
from tests.analysis.tables import EXPERIMENT
from workflow.tables.schema.computing import compute_table
summary = pd.DataFrame({"task": ["a", "b", "a"], "seed": [0, 0, 1]})
table = compute_table("replicas_of", {"summary": summary}, EXPERIMENT)
print(table.to_dict("list"))
"""


def execute(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command, environment = [sys.executable, "-c", program], os.environ | variables
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_table_of_a_plugin_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "replicas_of.py").write_text(TABLE.strip(), encoding="utf-8")
    run = execute(COMPUTE, LAGBENCH_PLUGINS=str(tmp_path))
    assert run.stdout.strip() == "{'task': ['a', 'b'], 'replicas': [2, 1]}", run.stderr


def test_figures_are_drawn_whatever_backend_a_notebook_has_set() -> None:
    program = "import workflow.figures.accuracy_versus_lag, matplotlib; print(matplotlib.get_backend())"
    run = execute(program, MPLBACKEND="module://matplotlib_inline.backend_inline")
    assert run.stdout.strip() == "agg", run.stderr
