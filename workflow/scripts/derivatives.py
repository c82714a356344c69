"""Adapter of rule derivatives: the exact derivatives of every condition's initial networks, as a table."""

import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from workflow.runs import process
from workflow.runs.log import told

with told(snakemake.log[0]):
    started = datetime.now(UTC)
    process.limit_threads(1, kernel="reference")
    import pandas as pd

    from training import provenance
    from training.derivatives import derivative_rows
    from workflow.analysis.columns import DERIVATIVES
    from workflow.analysis.summary import typed, write_csv
    from workflow.runs.writing import write_json

    rows = [row for settings in snakemake.params.settings for row in derivative_rows(settings)]
    write_csv(typed(pd.DataFrame(rows, columns=DERIVATIVES)), Path(snakemake.output[0]))
    made = {
        "settings": {"device": "cpu", "networks": snakemake.params.settings},
        "sources": snakemake.params.sources,
        "kernel": "reference",
    }
    about = provenance.collect(root=root, started=started, threads=1, record=made)
    write_json(Path(snakemake.output[0]).with_suffix(".provenance.json"), about)
