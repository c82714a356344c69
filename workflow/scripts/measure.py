"""Adapter of rule measure: train the replicas of one seed block, measure their gradients, write both records."""

import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from workflow.runs import process
from workflow.runs.arguments import arguments
from workflow.runs.log import say, told
from workflow.runs.writing import write_json

with told():
    job, started = arguments(__doc__), datetime.now(UTC)
    process.limit_threads(job.threads, kernel=job.settings["training"]["kernel"])
    with process.importing():
        import torch

        from training import measurement, progress, provenance
    torch.set_num_threads(job.threads)
    made = {"settings": job.settings, "sources": job.sources}
    made |= measurement.measure_condition(job.settings, progress.Progress(say, label=job.label))
    write_json(job.provenance, provenance.collect(root=root, started=started, threads=job.threads, record=made))
    write_json(job.run, made)
process.leave()
