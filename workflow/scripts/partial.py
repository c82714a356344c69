"""Adapter of rule partial: the records that there are to tables, figures and a map of what is missing."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from workflow.runs.log import told

with told(snakemake.log[0]):
    from workflow.analysis.partial import make_partial, report
    from workflow.configuration.experiment import Experiment

    print(*report(*make_partial(Experiment(snakemake.config, root=root))), sep="\n", flush=True)
