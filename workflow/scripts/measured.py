"""Adapter of rule measured: measurements to the tables of snapshots, norms, shares and alignment."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import told

with told(snakemake.log[0]):
    from workflow.experiment.experiment import Experiment
    from workflow.jobs.measurement import Measurements
    from workflow.tables.measurements import measured_tables, read_measurements
    from workflow.tables.summary import write_csv

    paths = list(snakemake.input.measurements)
    expected = Measurements(Experiment(snakemake.config, root=root)).expected(paths)
    records = read_measurements([Path(path) for path in paths], expected=expected)
    for name, table in measured_tables(records).items():
        write_csv(table, Path(snakemake.output[name]))
