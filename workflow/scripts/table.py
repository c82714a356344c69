"""Adapter of the rules of tables: tables, records, or rows that training/ computes, to the file of a table."""

import pkgutil
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors
from workflow.jobs import process

with log_errors(snakemake.log[0]):
    process.limit_threads(1, kernel="reference")
    from workflow.experiment.experiment import Experiment
    from workflow.jobs.derived import Derived, write_digest
    from workflow.tables.schema.csv_files import write_rows_table, write_table

    experiment, files = Experiment(snakemake.config, root=root), snakemake.input
    name, path = snakemake.wildcards.table, Path(snakemake.output[0])
    if entry := experiment.registry.tables[name].entry:
        compute_rows = pkgutil.resolve_name(entry.removesuffix(".py").replace("/", ".") + ":compute_rows")
        collect_table = pkgutil.resolve_name("training.provenance:collect_table")
        describe = partial(collect_table, root=root, started=process.STARTED)
        write_rows_table(name, experiment, compute_rows=compute_rows, describe=describe, path=path)
    else:
        write_table(name, experiment, inputs=[*files.tables, *files.get("records", [])], path=path)
    write_digest(Derived([str(path)], files.tables, snakemake.params.basis))
