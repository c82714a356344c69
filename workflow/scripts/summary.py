"""Adapter of rule summary: run records to the tables of replicas and of curves."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from workflow.runs.log import told

with told(snakemake.log[0]):
    from workflow.analysis.summary import curves_table, read_runs, summary_table, write_csv
    from workflow.configuration.experiment import Experiment

    paths = list(snakemake.input.runs)
    runs = read_runs([Path(path) for path in paths], expected=Experiment(snakemake.config, root=root).expected(paths))
    write_csv(summary_table(runs), Path(snakemake.output.summary))
    write_csv(curves_table(runs), Path(snakemake.output.curves))
