"""Which of the records that an experiment asks for exist, and which of those are stale: read one by one."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workflow.jobs.requested import Kind, Wanted
from workflow.jobs.run_records import MEND, read_runs
from workflow.tables.baselines import read_baselines
from workflow.tables.measurements import read_measurements

Read = Callable[..., list[dict[str, Any]]]
READERS: Mapping[Kind, Read] = {"run": read_runs, "baseline": read_baselines, "measurement": read_measurements}


class Existing(NamedTuple):
    """A record that lies on disk."""

    wanted: Wanted
    record: dict[str, Any] | None
    """As its reader returns it; None if it is stale."""
    why: str = ""
    """What of a stale one has changed."""


def existing(wanted: Iterable[Wanted]) -> Iterator[Existing]:
    """Yield the wanted records that exist; one that config or code would no longer make is stale, and not an error."""
    for one in wanted:
        path = Path(one.path)
        if path.is_file():
            try:
                (record,) = READERS[one.kind]([path], expected={str(path): one.expected})
                yield Existing(one, record)
            except (ValueError, KeyError, TypeError) as error:
                yield Existing(one, None, _told(error, path))


def records_of(found: Sequence[Existing], *, kind: Kind) -> list[dict[str, Any]]:
    """Return the records of a kind that are not stale."""
    return [one.record for one in found if one.wanted.kind == kind and one.record is not None]


def _told(error: Exception, path: Path) -> str:
    text = " ".join(str(error).split()).removesuffix(f"; {MEND}")
    return text.partition(f"{path}: ")[2] or text
