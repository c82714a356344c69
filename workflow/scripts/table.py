"""Adapter of rules table and records_table: tables or records to the file of a table."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors
from workflow.jobs import process

with log_errors(snakemake.log[0]):
    process.limit_threads(1, kernel="reference")
    from workflow.experiment.experiment import Experiment
    from workflow.jobs.derived import Derived, write_digest
    from workflow.tables.schema.writing import write_records_table, write_table

    name, path = snakemake.wildcards.table, Path(snakemake.output[0])
    experiment, files = Experiment(snakemake.config, root=root), snakemake.input
    if hasattr(files, "records"):
        write_records_table(name, experiment, records=files.records, path=path)
    else:
        write_table(name, experiment, inputs=files.tables, path=path)
    write_digest(Derived([str(path)], files.get("tables", []), snakemake.params.basis))
