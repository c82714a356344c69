"""Tables by name: the file of a table, and computing it from other tables or from records."""

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.experiment.tables import list_inputs
from workflow.tables.schema.columns import Columns, set_types


class TableFile(Protocol):
    """A file of workflow/tables/ or of a plug-in's tables/. What it declares besides is read without importing it."""

    KEY: tuple[str, ...]
    """The columns that name a row."""
    COLUMNS: Columns

    def compute(self, tables: Any, experiment: Experiment) -> pd.DataFrame:
        """Compute the table from those that it needs, by name, or from a sequence of records."""


def load_table(name: str) -> TableFile:
    """Import the file of a table."""
    return importlib.import_module(f"workflow.tables.{name}")


def compute_table(
    name: str, tables: Mapping[str, pd.DataFrame], experiment: Experiment, *, joined: bool = True
) -> pd.DataFrame:
    """Compute a table from those in `tables`; one that it needs and that is not there is a ValueError.

    The tables that it only joins where the configuration lists them can be left out (`joined`).
    """
    file = load_table(name)
    inputs = list_inputs(experiment, name) if joined else experiment.registry.tables[name].needs
    missing = [table for table in inputs if table not in tables]
    if missing:
        raise ValueError(f"it is computed from {', '.join(missing)}, which is not there")
    return set_types(file.compute({table: tables[table] for table in inputs}, experiment), file.COLUMNS)


def compute_records_table(name: str, records: Any, experiment: Experiment) -> pd.DataFrame:
    """Compute a table from records."""
    file = load_table(name)
    return set_types(file.compute(records, experiment), file.COLUMNS)
