"""Adapter of rule measure: train the replicas of one seed block, measure their gradients, write both records."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors, log_line
from records.writing import write_json
from workflow.jobs import arguments, process

with log_errors():
    job = arguments.parse_arguments(arguments.Job, description=__doc__)
    process.limit_threads(job.threads, kernel=job.settings["training"]["kernel"])
    with process.importing():
        from training import checkpointing, placement, progress, provenance
        from training.gradients.measurement import measure_condition
    placement.limit_threads(job.threads)
    with checkpointing.open_checkpointer(job.checkpoints, log=log_line, every=job.every, limit=job.limit) as saved:
        if not job.holds(job.record):
            record = {"settings": job.settings, "sources": job.sources}
            record |= measure_condition(job.settings, progress.ProgressLog(log_line, job.label), checkpointer=saved)
            origin = provenance.collect(root=root, started=process.STARTED, threads=job.threads, record=record)
            write_json(job.provenance, saved.extend_provenance(origin))
            write_json(job.record, record)
process.leave()
