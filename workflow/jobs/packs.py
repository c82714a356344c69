"""The packs of an experiment: which training jobs that are still to do share a job on a cluster."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from records.canonical_json import compute_digest
from workflow.experiment.experiment import Experiment
from workflow.jobs.arguments import Job
from workflow.jobs.packing import build_member, is_stored, read_members, write_members
from workflow.jobs.records import is_current
from workflow.jobs.requested import list_requests
from workflow.jobs.resources import Need, training_need
from workflow.jobs.run import ENTRY


class Packs:
    """The packs of an experiment; `conditions_per_job: 1` packs nothing."""

    def __init__(self, experiment: Experiment, *, at: Callable[[str], str] = str) -> None:
        """`at` says where a path of the workflow lies, to which a workflow that imports this one may add a prefix."""
        self.experiment = experiment
        self.at = at
        self.size: int = experiment.config["conditions_per_job"]
        self.folder = f"{experiment.place.results}/packs"
        self.planned: list[str] = []

    def plan(self) -> list[str]:
        """Write who belongs to which pack, and return what the packs make.

        Members are neither run records nor in the store, as far as their settings and code are those of now. A pack is
        named after them, so that a job that reads the file does not depend on what has been done meanwhile.
        """
        self.planned = []
        for members in self._packs():
            name = compute_digest([[str(job.record), job.settings, job.sources] for job in members])[:16]
            path = Path(self.at(f"{self.folder}/{name}.json"))
            if not path.exists():
                write_members(path, members)
            self.planned.append(f"{self.folder}/{name}.done")
        return self.planned

    def _packs(self) -> Iterator[Sequence[Job]]:
        """Yield the members of each pack: of one device, those that take about the same time next to each other."""
        to_do = sorted(
            (member for member in self._members() if not is_stored(member)),
            key=lambda job: (job.settings["device"], training_need(job.settings).seconds),
        )
        for device in sorted({member.settings["device"] for member in to_do}):
            alike = [member for member in to_do if member.settings["device"] == device]
            yield from (alike[first : first + self.size] for first in range(0, len(alike), self.size))

    def _members(self) -> Iterator[Job]:
        for request in list_requests(self.experiment, "run"):
            run = str(self.at(request.path))
            if not is_current(request, path=run):
                yield build_member(run, entry=ENTRY, settings=dict(request.settings), sources=request.sources)


def pack_need(members: str) -> Need:
    """Return what a pack needs whose members stand in a file: the largest memory, and the time of all."""
    needs = [training_need(member.settings) for member in read_members(Path(members))]
    return Need(max(need.memory for need in needs), sum(need.seconds for need in needs))


def pack_device(members: str) -> str:
    """Return the device of the members that stand in a file."""
    device: str = read_members(Path(members))[0].settings["device"]
    return device
