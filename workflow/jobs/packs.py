"""The packs of an experiment: which training jobs that are still to do share a job on a cluster."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from records.blocks import block_seeds
from records.canonical_json import compute_digest, format_canonical_json
from records.condition import Condition
from records.paths import block_of
from workflow.experiment.experiment import Experiment
from workflow.jobs.packing import Member, is_stored, read_members, write_members
from workflow.jobs.resources import Need, training_need


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
            name = compute_digest([member._asdict() for member in members])[:16]
            path = Path(self.at(f"{self.folder}/{name}.json"))
            if not path.exists():
                write_members(path, members)
            self.planned.append(f"{self.folder}/{name}.done")
        return self.planned

    def _packs(self) -> Iterator[Sequence[Member]]:
        """Yield the members of each pack: of one device, those that take about the same time beside each other."""
        to_do = sorted(
            (member for member in self._members() if not is_stored(member)),
            key=lambda member: (
                member.settings["device"],
                training_need(format_canonical_json(member.settings)).seconds,
            ),
        )
        for device in sorted({member.settings["device"] for member in to_do}):
            alike = [member for member in to_do if member.settings["device"] == device]
            yield from (alike[first : first + self.size] for first in range(0, len(alike), self.size))

    def _members(self) -> Iterator[Member]:
        for run in self.experiment.run_paths:
            device, task, lag, model, gradient = run.removeprefix(f"{self.experiment.place.runs}/").split("/")[:5]
            condition = Condition(device, task, int(lag.removeprefix("lag=")), model, gradient)
            settings = self.experiment.settings(condition, block_seeds(block_of(run)) or ())
            member = Member(str(self.at(run)), settings, self.experiment.sources(condition))
            if not _is_made(member):
                yield member


def pack_need(members: str) -> Need:
    """Return what a pack needs whose members stand in a file: the largest memory, and the time of all."""
    needs = [training_need(format_canonical_json(member.settings)) for member in read_members(Path(members))]
    return Need(max(need.memory for need in needs), sum(need.seconds for need in needs))


def pack_device(members: str) -> str:
    """Return the device of the members that stand in a file."""
    device: str = read_members(Path(members))[0].settings["device"]
    return device


def _is_made(member: Member) -> bool:
    """Say whether a run record of these settings and this code is there, by its provenance, which is short."""
    path = Path(member.run)
    try:
        provenance = json.loads(path.with_suffix(".provenance.json").read_bytes())
    except (OSError, ValueError):
        return False
    settings = compute_digest(member.settings)
    return path.exists() and provenance.get("settings") == settings and provenance.get("sources") == member.sources
