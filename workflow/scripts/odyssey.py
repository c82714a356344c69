"""Adapter of rule variants: the table of replicas to that of the variants of a random search."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.tables.odyssey import beside_baselines, odyssey_table
    from workflow.tables.summary import read_csv, write_csv

    table = odyssey_table(read_csv(Path(snakemake.input.summary)), snakemake.params.search)
    if snakemake.input.baselines:
        table = beside_baselines(table, read_csv(Path(snakemake.input.baselines)))
    write_csv(table, Path(snakemake.output[0]))
