"""Adapter of rule baselines: records of guessed weights to one table."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.experiment.experiment import Experiment
    from workflow.jobs.records import read_record
    from workflow.jobs.requested import list_requests_at
    from workflow.tables.baselines import baselines_table
    from workflow.tables.summary import write_csv

    requests = list_requests_at(Experiment(snakemake.config, root=root), "baseline", snakemake.input.records)
    records = [read_record(request, path=Path(path)) for path, request in requests.items()]
    write_csv(baselines_table(records), Path(snakemake.output[0]))
