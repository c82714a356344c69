"""Tables computed from others, or from records, that a test has made up."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from tests.settings import TINY
from workflow.experiment.experiment import Experiment
from workflow.tables.schema.columns import set_types
from workflow.tables.schema.computing import load_table

EXPERIMENT = Experiment(TINY, root=Path(__file__).resolve().parents[2])


def compute(name: str, *, experiment: Any = EXPERIMENT, **tables: pd.DataFrame) -> pd.DataFrame:
    """Compute a table from others; of an experiment its `search` or `published` may be enough."""
    return _compute(name, tables, experiment)


def compute_of(name: str, records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Compute a table from records."""
    return _compute(name, records, EXPERIMENT)


def searching(search: Mapping[str, Any]) -> Any:
    """Return what an experiment tells of its random search."""
    return SimpleNamespace(search=search)


def _compute(name: str, source: Any, experiment: Any) -> pd.DataFrame:
    file = load_table(name)
    return set_types(file.compute(source, experiment), file.COLUMNS)
