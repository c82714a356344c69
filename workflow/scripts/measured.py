"""Adapter of rule measured: measurements to the tables of snapshots, norms, shares and alignment."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.experiment.experiment import Experiment
    from workflow.jobs.records import read_record
    from workflow.jobs.requested import list_requests_at
    from workflow.tables.measurements import measured_tables
    from workflow.tables.summary import write_csv

    requests = list_requests_at(Experiment(snakemake.config, root=root), "measurement", snakemake.input.measurements)
    records = [read_record(request, path=Path(path)) for path, request in requests.items()]
    for name, table in measured_tables(records).items():
        write_csv(table, Path(snakemake.output[name]))
