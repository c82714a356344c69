"""Tables by name: the file of a table, and computing it from other tables or from records."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.experiment.tables import list_inputs
from workflow.tables.schema.columns import Columns, Frames, Records, Rows, set_types


class TableFile(Protocol):
    """A file of workflow/tables/ or of a plug-in's tables/. What it declares besides is read without importing it."""

    KEY: Sequence[str]
    """The columns that name a row."""
    COLUMNS: Columns

    def compute(self, inputs: Any, experiment: Experiment) -> Rows:
        """Compute the rows from tables by name, or in any order from records; not for a table with an entry point."""


def load_table(name: str) -> TableFile:
    """Import the file of a table."""
    return importlib.import_module(f"workflow.tables.{name}")


def compute_table(name: str, inputs: Frames | Records, experiment: Experiment) -> pd.DataFrame:
    """Compute a table from those that it needs, by name, or from records; then it is sorted by its key.

    A table that it needs and that is not there is a ValueError, and so is a row that two records have.
    """
    file = load_table(name)
    if isinstance(inputs, Mapping):
        missing = [table for table in experiment.registry.tables[name].needs if table not in inputs]
        if missing:
            raise ValueError(f"it is computed from {', '.join(missing)}, which is not there")
        inputs = {table: inputs[table] for table in list_inputs(experiment, name) if table in inputs}
        return set_types(file.compute(inputs, experiment), file.COLUMNS)
    table = set_types(file.compute(inputs, experiment), file.COLUMNS, sort_by=[*file.KEY])
    twice = table[table.duplicated([*file.KEY])]
    if not twice.empty:
        row = ", ".join(f"{column} {twice.iloc[0][column]}" for column in file.KEY)
        raise ValueError(f"{name}.csv: two records have the row ({row}); delete the one that you do not need")
    return table
