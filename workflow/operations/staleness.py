"""Which finished records are stale: written under other versions of a library, or by other code or another config.

What code or config have changed is trained again by itself. Another version of a library is left to the user: an
upgrade of torch would else cost a whole experiment, and most change no more than last digits. It is reported at the end
of every run; `make retrain` trains such runs again.
"""

import importlib.metadata
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from workflow.jobs.requested import Request

PACKAGES = ("torch", "numpy", "numba")
"""Those by which networks are trained: another version may change a number."""
Versions = tuple[str | None, ...]


class Provenance(NamedTuple):
    """What a finished record's provenance holds of what determines its numbers."""

    versions: Versions
    settings: str | None
    sources: str | None


def load_provenance(requests: Iterable[Request]) -> dict[str, Provenance]:
    """Return the provenance of the records that exist, by path; others are left out."""
    loaded = {}
    for request in requests:
        try:
            content = json.loads(Path(request.path).with_suffix(".provenance.json").read_bytes())
            versions = tuple(content["versions"].get(name) for name in PACKAGES)
            loaded[request.path] = Provenance(versions, content["settings"], content["sources"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return loaded


def read_installed_versions() -> Versions:
    """Return the versions that a run would be trained under now."""
    return tuple(_version(name) for name in PACKAGES)


def find_other_versions(finished: Mapping[str, Provenance], *, here: Versions) -> list[str]:
    """Return the records that were written under other versions than those here."""
    return [path for path, provenance in finished.items() if provenance.versions != here]


def report_versions(finished: Mapping[str, Provenance], *, here: Versions, config: str = "...") -> Iterator[str]:
    """Yield one line per library whose version is not the same here and in all records, and how to mend it."""
    for rank, name in enumerate(PACKAGES):
        count = Counter(provenance.versions[rank] or "none" for provenance in finished.values())
        now = here[rank] or "none"
        others = sum(count.values()) - count[now]
        if others:
            counts = ", ".join(f"{version} ({runs} runs)" for version, runs in sorted(count.items()))
            yield f"stale: {others} runs were made under another {name}: {counts}; here is {now}. " + (
                f"make retrain CONFIG={config} trains them again"
            )


def report_changes(finished: Mapping[str, Provenance], *, requests: Iterable[Request]) -> Iterator[str]:
    """Yield one line if code or config have changed since records were written."""
    requested = {request.path: request.digests for request in requests if request.path in finished}
    code = {path for path, (_, sources) in requested.items() if finished[path].sources != sources}
    config = {path for path, (settings, _) in requested.items() if finished[path].settings != settings}
    if code | config:
        yield f"stale: {len(code | config)} of {len(finished)} runs, as what determines their numbers has changed: " + (
            f"the code of {len(code)}, the config of {len(config)}"
        )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
