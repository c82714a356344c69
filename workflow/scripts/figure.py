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

    paths = [*(snakemake.input[name] for name in ("summary", "statistics", "curves")), *snakemake.input.more]
    summary, statistics = (read_csv(Path(path)) for path in paths[:2])
    curves, more = partial(read_lags, Path(paths[2])), {Path(path).stem: read_csv(Path(path)) for path in paths[3:]}
    labels = Labels(**{kind: tuple(names) for kind, names in snakemake.params.labels.items()})
    draw = importlib.import_module(f"workflow.figures.{snakemake.wildcards.figure}").draw
    place, source = Path(snakemake.output.png).with_suffix(""), describe_source([Path(path) for path in paths])
    save(draw(Tables(summary, statistics, curves, labels, more)), place, source=source)
    write_digest(Derived([*snakemake.output], paths, snakemake.params.basis))
