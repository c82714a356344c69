"""Adapter of rule figure: tables to one figure in three formats, by the `draw` of its script in figures/."""

import importlib
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.figures.style.look import Labels, Tables, describe_source, save
    from workflow.jobs.derived import Derived, write_digest
    from workflow.tables.schema.csv_files import read_csv, read_lags

    paths = [Path(path) for path in snakemake.input.tables]
    tables = {path.stem: read_csv(path) for path in paths if path.stem != "curves"}
    curves = partial(read_lags, next(path for path in paths if path.stem == "curves"))
    labels = Labels(**{kind: tuple(names) for kind, names in snakemake.params.labels.items()})
    draw = importlib.import_module(f"workflow.figures.{snakemake.wildcards.figure}").draw
    figure = draw(Tables(tables["summary"], tables["statistics"], curves, labels, tables))
    save(figure, Path(snakemake.output.png).with_suffix(""), source=describe_source(paths))
    write_digest(Derived([*snakemake.output], [*snakemake.input.tables], snakemake.params.basis))
