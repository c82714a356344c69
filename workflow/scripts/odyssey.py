"""Adapter of rule variants: the table of replicas to that of the variants of a random search."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from workflow.runs.log import told

with told(snakemake.log[0]):
    from workflow.analysis.odyssey import odyssey_table
    from workflow.analysis.summary import read_csv, write_csv

    summary = read_csv(Path(snakemake.input.summary))
    baselines = read_csv(Path(snakemake.input.baselines)) if snakemake.input.baselines else None
    table = odyssey_table(summary, snakemake.params.search, baselines=baselines)
    write_csv(table, Path(snakemake.output[0]))
