"""Tables computed from others, or from records, that a test has made up."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from tests.settings import TINY
from workflow.experiment.experiment import Experiment
from workflow.tables.schema.columns import set_types
from workflow.tables.schema.computing import compute_table, load_table

EXPERIMENT = Experiment(TINY, root=Path(__file__).resolve().parents[2])


def compute(name: str, *, experiment: Any = EXPERIMENT, **tables: pd.DataFrame) -> pd.DataFrame:
    """Compute a table from others; of an experiment a `config` of `search` or `published` may be enough."""
    file = load_table(name)
    return set_types(file.compute(tables, experiment), file.COLUMNS)


def compute_of(name: str, records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Compute a table from records."""
    return compute_table(name, records, EXPERIMENT)


def searching(search: Mapping[str, Any]) -> Any:
    """Return what an experiment tells of its random search."""
    return SimpleNamespace(config={"search": search})


def select_lags(table: pd.DataFrame) -> Callable[[Collection[int]], pd.DataFrame]:
    """Return a function that returns the rows of a table at some lags, as `read_lags` does of a file."""
    return lambda lags: table[table["lag"].isin(lags)]
