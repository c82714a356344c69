"""Adapter of rule constructed: the gradient of the network that is built by hand, as a table."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors
from workflow.jobs import process

with log_errors(snakemake.log[0]):
    process.limit_threads(1, kernel="reference")
    import pandas as pd

    from records.writing import write_json
    from training import provenance
    from training.gradients import constructed
    from workflow.tables.columns import CONSTRUCTED
    from workflow.tables.summary import typed, write_csv

    path, seeds = Path(snakemake.output[0]), constructed.SEEDS
    write_csv(typed(pd.DataFrame(constructed.compute_constructed(seeds), columns=CONSTRUCTED)), path)
    about = {"settings": {"seeds": list(seeds)}, "sources": snakemake.params.sources}
    provenance_record = provenance.collect_table(root=root, started=process.STARTED, **about)
    write_json(path.with_suffix(".provenance.json"), provenance_record)
