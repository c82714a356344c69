"""Adapter of rule figure: tables to one figure in three formats, by the `draw` of its script in figures/."""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from workflow.runs.log import told

with told(snakemake.log[0]):
    from workflow.analysis.style import Labels, Tables, save
    from workflow.analysis.summary import read_csv

    more = {Path(path).stem: read_csv(Path(path)) for path in snakemake.input.more}
    tables = {name: read_csv(Path(snakemake.input[name])) for name in ("summary", "statistics", "curves")}
    labels = Labels(**{kind: tuple(names) for kind, names in snakemake.params.labels.items()})
    draw = importlib.import_module(f"workflow.scripts.figures.{snakemake.wildcards.figure}").draw
    save(draw(Tables(**tables, labels=labels, more=more)), Path(snakemake.output.png).with_suffix(""))
