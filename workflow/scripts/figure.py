"""Adapter of rule figure: tables to one figure in three formats, by the `draw` of its script in figures/."""

import importlib
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.figures.style.look import Labels, Tables, describe_source, save
    from workflow.tables.schema.csv_files import read_csv, read_lags

    usual = {name: Path(snakemake.input[name]) for name in ("summary", "statistics", "curves")}
    others = [Path(path) for path in snakemake.input.more]
    summary, statistics = (read_csv(usual[name]) for name in ("summary", "statistics"))
    curves, more = partial(read_lags, usual["curves"]), {path.stem: read_csv(path) for path in others}
    labels = Labels(**{kind: tuple(names) for kind, names in snakemake.params.labels.items()})
    draw = importlib.import_module(f"workflow.figures.{snakemake.wildcards.figure}").draw
    figure, source = (
        draw(Tables(summary, statistics, curves, labels, more)),
        describe_source([*usual.values(), *others]),
    )
    save(figure, Path(snakemake.output.png).with_suffix(""), source=source)
