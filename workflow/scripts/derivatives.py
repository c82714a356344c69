"""Adapter of rule derivatives: the exact derivatives of every condition's initial networks, as a table."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors
from workflow.jobs import process

with log_errors(snakemake.log[0]):
    process.limit_threads(1, kernel="reference")
    import pandas as pd

    from records.writing import write_json
    from training.gradients.derivatives import compute_derivatives
    from training.provenance import collect_table
    from workflow.tables.columns import DERIVATIVES
    from workflow.tables.summary import typed, write_csv

    path, networks = Path(snakemake.output[0]), snakemake.params.settings
    rows = [row for network in networks for row in compute_derivatives(network)]
    write_csv(typed(pd.DataFrame(rows, columns=DERIVATIVES)), path)
    about = {"settings": {"networks": networks}, "sources": snakemake.params.sources}
    write_json(path.with_suffix(".provenance.json"), collect_table(root=root, started=process.STARTED, **about))
