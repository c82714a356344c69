"""Adapter of rule published_table: the table of replicas to that of the published numbers beside ours."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from workflow.runs.log import told

with told(snakemake.log[0]):
    from workflow.analysis.baselines import with_baselines
    from workflow.analysis.published import published_table
    from workflow.analysis.summary import read_csv, write_csv

    table = published_table(read_csv(Path(snakemake.input.summary)), snakemake.params.published)
    if snakemake.input.baselines:
        table = with_baselines(table, read_csv(Path(snakemake.input.baselines)))
    write_csv(table, Path(snakemake.output[0]))
