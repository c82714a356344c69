"""Adapter of rule train: train the replicas of one seed block, write its run record and its provenance."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import say, told
from records.writing import write_json
from workflow.jobs import packing, process
from workflow.jobs.arguments import arguments

with told():  # to import what is trained may fail too
    if not packing.adopted(job := arguments(__doc__)):
        process.limit_threads(job.threads, kernel=job.settings["training"]["kernel"])
        with process.importing():
            from training import condition, keeper, placement, progress, provenance
        placement.limit_threads(job.threads)
        with keeper.keeping(job.checkpoints, say=say, every=job.every, limit=job.limit) as kept:
            if not job.is_made:
                made = {"settings": job.settings, "sources": job.sources}
                made |= condition.train_condition(job.settings, progress.Progress(say, label=job.label), keeper=kept)
                about = provenance.collect(root=root, started=job.started, threads=job.threads, record=made)
                write_json(job.provenance, about | kept.provenance(about))
                write_json(job.run, made)
process.leave()
