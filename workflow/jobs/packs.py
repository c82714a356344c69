"""The packs of an experiment: which training jobs that are still to do share a job on a cluster."""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from records.canonical_json import compute_digest
from workflow.experiment.experiment import Experiment
from workflow.jobs import run
from workflow.jobs.arguments import Job
from workflow.jobs.packing import is_stored, provenance_path, read_members, write_members
from workflow.jobs.records import is_current
from workflow.jobs.requested import list_requests
from workflow.jobs.resources import Need, training_need


def plan_packs(experiment: Experiment, *, folder: str, at: Callable[[str], str] = str) -> list[str]:
    """Write who belongs to which pack into files of a folder, and return their paths without suffix.

    Members are neither run records nor in the store, as far as their settings and code are those of now. Those of a
    pack have one device, and take about the same time. It is named after them, so that a job that reads the file does
    not depend on what has been done meanwhile. `at` says where a path of the workflow lies.
    """
    jobs = []
    for request in list_requests(experiment, "run"):
        path = Path(at(request.path))
        job = Job(run.ENTRY, dict(request.settings), request.sources, 1, path, provenance_path(path))
        if not (is_current(request, path=path) or is_stored(job)):
            jobs.append(job)
    jobs.sort(key=lambda job: (job.settings["device"], training_need(job.settings).seconds))
    size, packs = experiment.config["conditions_per_job"], []
    for _, group in groupby(jobs, key=lambda job: job.settings["device"]):
        alike = list(group)
        packs += [alike[first : first + size] for first in range(0, len(alike), size)]
    names = []
    for members in packs:
        digest = compute_digest([[str(job.record), job.settings, job.sources] for job in members])
        names.append(f"{folder}/{digest[:16]}")
        write_members(Path(at(f"{names[-1]}.json")), members)
    return names


def pack_need(members: str) -> Need:
    """Return what a pack needs whose members stand in a file: the largest memory, and the time of all."""
    needs = [training_need(member.settings) for member in read_members(Path(members))]
    return Need(max(need.memory for need in needs), sum(need.seconds for need in needs))


def pack_device(members: str) -> str:
    """Return the device of the members that stand in a file."""
    device: str = read_members(Path(members))[0].settings["device"]
    return device
