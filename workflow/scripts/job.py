"""Adapter of the rules of jobs: compute a record by the entry point of its kind, write it and its provenance."""

import pkgutil
import sys
from pathlib import Path

sys.path.insert(0, str(root := Path(__file__).resolve().parents[2]))
from records.log import log_errors, log_line
from records.writing import write_json
from workflow.jobs import arguments, packing, process

with log_errors():  # an import may fail too
    if packing.adopt_record(job := arguments.parse_job(__doc__)):
        process.leave()
    process.limit_threads(job.threads, kernel=job.settings["training"]["kernel"])
    with process.importing():
        compute = pkgutil.resolve_name(job.entry)
        import torch

        from training import checkpointing, progress, provenance
    torch.set_num_threads(job.threads)
    with checkpointing.open_checkpointer(job.checkpoints, log=log_line, every=job.every, limit=job.limit) as saved:
        if not job.holds(job.record):  # else a process for which this one waited has written it
            record = {"settings": job.settings, "sources": job.sources}
            record |= compute(job.settings, progress.ProgressLog(log_line, job.label), checkpointer=saved)
            origin = provenance.collect(root=root, started=process.STARTED, threads=job.threads, record=record)
            write_json(job.provenance, saved.extend_provenance(origin))
            write_json(job.record, record)
process.leave()
