"""Adapter of rule surface: replicas, statistics and baselines to the truncation surface."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.tables.summary import read_csv, write_csv
    from workflow.tables.surface import surface_table

    tables = (read_csv(Path(snakemake.input[name])) for name in ("summary", "statistics", "baselines"))
    write_csv(surface_table(*tables), Path(snakemake.output[0]))
