"""Adapter of rule entry_table: rows that a file of training/ computes to the file of a table, with its provenance."""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors
from records.writing import write_json
from workflow.jobs import process

with log_errors(snakemake.log[0]):
    process.limit_threads(1, kernel="reference")
    from training.provenance import collect_table
    from workflow.experiment.experiment import Experiment
    from workflow.jobs.derived import Derived, write_digest
    from workflow.tables.schema.writing import write_rows_table

    name, path = snakemake.wildcards.table, Path(snakemake.output[0])
    experiment, settings = Experiment(snakemake.config, root=root), snakemake.params.settings
    entry = importlib.import_module(experiment.registry.tables[name].entry.removesuffix(".py").replace("/", "."))
    write_rows_table(name, experiment, rows=[row for call in settings for row in entry.compute_rows(call)], path=path)
    made_by = {"settings": {"calls": settings}, "sources": snakemake.params.sources}
    write_json(path.with_suffix(".provenance.json"), collect_table(root=root, started=process.STARTED, **made_by))
    write_digest(Derived([str(path)], [], snakemake.params.basis))
