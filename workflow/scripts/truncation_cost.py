"""Adapter of rule truncation_cost: replicas and statistics to what the gradient of 1997 costs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.tables.summary import read_csv, write_csv
    from workflow.tables.truncation_cost import truncation_table

    summary, statistics = read_csv(Path(snakemake.input.summary)), read_csv(Path(snakemake.input.statistics))
    write_csv(truncation_table(summary, statistics), Path(snakemake.output[0]))
