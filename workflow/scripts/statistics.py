"""Adapter of rule statistics: the table of replicas to one row per condition."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from workflow.runs.log import told

with told(snakemake.log[0]):
    from workflow.analysis.statistics import statistics_table
    from workflow.analysis.summary import read_csv, write_csv

    write_csv(statistics_table(read_csv(Path(snakemake.input.summary))), Path(snakemake.output[0]))
