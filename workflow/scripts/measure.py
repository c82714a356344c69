"""Adapter of rule measure: train the replicas of one seed block, measure their gradients, write both records."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import say, told
from records.writing import write_json
from workflow.jobs import process
from workflow.jobs.arguments import arguments

with told():
    job = arguments(__doc__)
    process.limit_threads(job.threads, kernel=job.settings["training"]["kernel"])
    with process.importing():
        from training import keeper, measurement, placement, progress, provenance
    placement.limit_threads(job.threads)
    with keeper.keeping(job.checkpoints, say=say, every=job.every, limit=job.limit) as kept:
        if not job.is_made:
            made = {"settings": job.settings, "sources": job.sources}
            made |= measurement.measure_condition(job.settings, progress.Progress(say, label=job.label), keeper=kept)
            about = provenance.collect(root=root, started=job.started, threads=job.threads, record=made)
            write_json(job.provenance, about | kept.provenance(about))
            write_json(job.run, made)
process.leave()
