"""Adapter of rule summary: run records to the tables of replicas and of curves."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.experiment.experiment import Experiment
    from workflow.jobs.requested import list_requests_at
    from workflow.tables.summary import write_tables

    requests = list_requests_at(Experiment(snakemake.config, root=root), "run", snakemake.input.runs)
    write_tables(requests, summary=Path(snakemake.output.summary), curves=Path(snakemake.output.curves))
