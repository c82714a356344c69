"""Adapter of rule statistics: the table of replicas, and baselines if there are any, to one row per condition."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.statistics.trials import variants_in
    from workflow.tables.baselines import with_baselines
    from workflow.tables.statistics import statistics_table
    from workflow.tables.summary import read_csv, write_csv

    summary = read_csv(Path(snakemake.input.summary))
    table = statistics_table(summary)
    if snakemake.input.baselines:
        baselines = read_csv(Path(snakemake.input.baselines))
        table = with_baselines(table, baselines, variants=variants_in(summary, known=set(baselines["model"])))
    write_csv(table, Path(snakemake.output[0]))
