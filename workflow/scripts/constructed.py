"""Adapter of rule constructed: the gradient of the network that is built by hand, as a table."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from workflow.runs import process
from workflow.runs.log import told

with told(snakemake.log[0]):
    process.limit_threads(1, kernel="reference")
    import pandas as pd

    from training.constructed import SEEDS, constructed_rows
    from workflow.analysis.columns import CONSTRUCTED
    from workflow.analysis.summary import typed, write_csv

    write_csv(typed(pd.DataFrame(constructed_rows(SEEDS), columns=CONSTRUCTED)), Path(snakemake.output[0]))
