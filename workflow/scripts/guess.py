"""Adapter of rule baseline: guess the weights of one model on one task, and write the record."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from workflow.runs import process
from workflow.runs.arguments import guess_arguments
from workflow.runs.log import told
from workflow.runs.writing import write_json

with told():
    job = guess_arguments(__doc__)
    process.limit_threads(1, kernel=job.settings["training"]["kernel"])
    with process.importing():
        import torch

        from training.guessing import guess_condition
    torch.set_num_threads(1)
    write_json(job.output, guess_condition(job.settings) | {"sources": job.sources})
process.leave()
