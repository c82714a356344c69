"""Adapter of rule published_table: the table of replicas to that of the published numbers beside ours."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.tables.baselines import with_baselines
    from workflow.tables.published import published_table
    from workflow.tables.summary import read_csv, write_csv

    table = published_table(read_csv(Path(snakemake.input.summary)), snakemake.params.published)
    if snakemake.input.baselines:
        table = with_baselines(table, read_csv(Path(snakemake.input.baselines)))
    write_csv(table, Path(snakemake.output[0]))
