"""Adapter of rule summary: run records to the tables of replicas and of curves."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import told

with told(snakemake.log[0]):
    from workflow.experiment.experiment import Experiment
    from workflow.tables.summary import write_tables

    expected = Experiment(snakemake.config, root=root).expected(list(snakemake.input.runs))
    write_tables(expected, summary=Path(snakemake.output.summary), curves=Path(snakemake.output.curves))
