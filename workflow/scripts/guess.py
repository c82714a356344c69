"""Adapter of rule baseline: guess the weights of one model on one task, write the record and its provenance."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import told
from records.writing import write_json
from workflow.jobs import process
from workflow.jobs.arguments import guess_arguments

with told():
    job = guess_arguments(__doc__)
    process.limit_threads(1, kernel=job.settings["training"]["kernel"])
    with process.importing():
        import torch

        from training import guessing, provenance
    torch.set_num_threads(1)
    made = guessing.guess_condition(job.settings) | {"sources": job.sources}
    about = provenance.collect(root=root, started=process.STARTED, threads=1, record=made)
    write_json(job.output.with_suffix(".provenance.json"), about)
    write_json(job.output, made)
process.leave()
