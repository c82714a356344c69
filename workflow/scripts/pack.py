"""Adapter of rule pack: train the members of a pack that are not in the store, each in a process of its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors
from workflow.jobs.arguments import PackJob, parse_arguments
from workflow.jobs.packing import read_members, train_pack

with log_errors():
    job = parse_arguments(PackJob, description=__doc__)
    members, train = read_members(job.members), Path(__file__).with_name("job.py")
    failed = train_pack(members, train=train, threads=job.threads, minutes=job.minutes)
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(members)} conditions failed: {'; '.join(failed)}")
