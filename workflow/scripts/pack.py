"""Adapter of rule pack: train the members of a pack that are not in the store, each in a process of its own."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors
from workflow.jobs.packing import read_members, train_pack

with log_errors():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("members", Path), ("threads", int), ("minutes", float)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    given = parser.parse_args()
    members, train = read_members(given.members), Path(__file__).with_name("job.py")
    failed = train_pack(members, train=train, threads=given.threads, minutes=given.minutes)
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(members)} conditions failed: {'; '.join(failed)}")
