"""Adapter of rule baselines: records of guessed weights to one table."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import told

with told(snakemake.log[0]):
    from workflow.experiment.experiment import Experiment
    from workflow.jobs.baseline import Baselines
    from workflow.tables.baselines import baselines_table, read_baselines
    from workflow.tables.summary import write_csv

    paths = list(snakemake.input.records)
    expected = Baselines(Experiment(snakemake.config, root=root)).expected(paths)
    records = read_baselines([Path(path) for path in paths], expected=expected)
    write_csv(baselines_table(records), Path(snakemake.output[0]))
