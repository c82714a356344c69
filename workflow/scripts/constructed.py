"""Adapter of rule constructed: the gradient of the network that is built by hand, as a table."""

import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import told
from workflow.jobs import process

with told(snakemake.log[0]):
    began = datetime.now(UTC)
    process.limit_threads(1, kernel="reference")
    import pandas as pd

    from records.writing import write_json
    from training import constructed, provenance
    from workflow.tables.columns import CONSTRUCTED
    from workflow.tables.summary import typed, write_csv

    path, seeds = Path(snakemake.output[0]), constructed.SEEDS
    write_csv(typed(pd.DataFrame(constructed.constructed_rows(seeds), columns=CONSTRUCTED)), path)
    asked = {"settings": {"seeds": list(seeds)}, "sources": snakemake.params.sources}
    write_json(path.with_suffix(".provenance.json"), provenance.collect_table(root=root, started=began, **asked))
