"""Adapter of rule partial: the records that there are to tables, figures and a map of what is missing."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from workflow.experiment.experiment import Experiment
    from workflow.operations.partial import report_partial, write_partial

    print(*report_partial(*write_partial(Experiment(snakemake.config, root=root))), sep="\n", flush=True)
