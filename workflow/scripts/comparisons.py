"""Adapter of rule comparisons: the tables of replicas and statistics to paired comparisons."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.tables.comparisons import comparisons_table
    from workflow.tables.summary import read_csv, write_csv

    summary, statistics = read_csv(Path(snakemake.input.summary)), read_csv(Path(snakemake.input.statistics))
    write_csv(comparisons_table(summary, statistics), Path(snakemake.output[0]))
