"""Adapter of rule importance: the table of replicas to the shares of variance by hyperparameter."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.tables.odyssey_importance import importance_table
    from workflow.tables.summary import read_csv, write_csv

    summary = read_csv(Path(snakemake.input.summary))
    write_csv(importance_table(summary, snakemake.params.search), Path(snakemake.output[0]))
