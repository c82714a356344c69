"""Adapter of rule train: train the replicas of one seed block, write its run record and its provenance."""

import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from workflow.runs.arguments import arguments
from workflow.runs.log import say, told
from workflow.runs.writing import write_json

with told():  # to import what is trained may fail too
    job, started = arguments(__doc__), datetime.now(UTC)
    import torch

    from training import condition, progress, provenance

    torch.set_num_threads(job.threads)
    record = condition.train_condition(job.settings, progress.Progress(say, label=job.label))
    made = {"settings": job.settings, "sources": job.sources} | record
    about = provenance.collect(root=root, started=started, threads=job.threads, record=made)
    write_json(job.provenance, about)
    write_json(job.run, made)
