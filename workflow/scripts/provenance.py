"""Adapter of rule provenance: provenance files to one table."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.tables.summary import provenance_table, write_csv

    runs = [Path(path) for path in snakemake.input.runs]
    table = Path(snakemake.output[0])
    write_csv(provenance_table(runs, table.parent / "runs"), table)
