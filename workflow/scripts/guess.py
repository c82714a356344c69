"""Adapter of rule baseline: guess the weights of one model on one task, write the record and its provenance."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors
from records.writing import write_json
from workflow.jobs import process
from workflow.jobs.arguments import Job, parse_arguments

with log_errors():
    job = parse_arguments(Job, description=__doc__)
    process.limit_threads(1, kernel=job.settings["training"]["kernel"])
    with process.importing():
        import torch

        from training import guessing, provenance
    torch.set_num_threads(1)
    record = guessing.guess_condition(job.settings) | {"sources": job.sources}
    origin = provenance.collect(root=root, started=process.STARTED, threads=1, record=record)
    write_json(job.provenance, origin)
    write_json(job.record, record)
process.leave()
