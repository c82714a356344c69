"""Adapter of rule train: train the replicas of one seed block, write its run record and its provenance."""

import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors, log_line
from records.writing import write_json
from workflow.jobs import arguments, packing, process

with log_errors():  # to import what is trained may fail too
    if not packing.adopt_record(job := arguments.parse_arguments(arguments.Job, description=__doc__)):
        process.limit_threads(job.threads, kernel=job.settings["training"]["kernel"])
        with process.importing():
            from training import checkpointing, condition, placement, progress, provenance
        placement.limit_threads(job.threads)
        with checkpointing.open_checkpointer(job.checkpoints, log=log_line, every=job.every, limit=job.limit) as saved:
            if not job.holds(job.record):  # else a process for which this one waited has written it
                report = progress.ProgressLog(log_line, job.label)
                record = {"settings": job.settings, "sources": job.sources}
                record |= condition.train_condition(job.settings, report, checkpointer=saved)
                origin = provenance.collect(root=root, started=process.STARTED, threads=job.threads, record=record)
                write_json(job.provenance, saved.extend_provenance(origin))
                write_json(job.record, record)
process.leave()
