"""The manifest of an experiment: an RO-Crate of all its files with their SHA-256, equal bytes from equal files."""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from records.writing import write_text

NAME = "ro-crate-metadata.json"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
OMITTED = ("logs", "checkpoints")
"""Folders without results."""
FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".lock": "text/plain",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
}
DESCRIPTIONS = {
    "config.yaml": "The configuration, completed over config/default.yaml",
    "requirements.lock": "The versions of all packages",
    "provenance.csv": "Of each run: commit, settings, versions, machine, time",
}


class Entry(NamedTuple):
    """Size and checksum of a file."""

    size: int
    sha256: str


def list_files(folder: Path) -> list[str]:
    """Return the files of an experiment, relative to its folder and sorted; not logs, checkpoints and hidden files."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if _is_result(path))


def write(folder: Path) -> Path:
    """List the files of a folder in its manifest and return that file."""
    listed = {}
    for name in list_files(folder):
        with (folder / name).open("rb") as file:
            listed[name] = compute_entry(file)
    text = json.dumps(build_crate(folder.name, listed, runs=_runs(folder)), indent=1, ensure_ascii=False)
    write_text(folder / NAME, text + "\n")
    return folder / NAME


def build_crate(experiment: str, listed: Mapping[str, Entry], *, runs: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """Return the RO-Crate: the files, and the action that computed them, with commits and versions of the `runs`."""
    runs = list(runs)
    commits, packages = _commits(runs), list(_packages(runs))
    started = sorted(run["started"] for run in runs if run.get("started"))
    parts = [{"@id": name} for name in listed]
    action: dict[str, Any] = {
        "@id": "#training",
        "@type": "CreateAction",
        "name": f"Training and evaluation of {experiment}",
        "instrument": [{"@id": entity["@id"]} for entity in [*commits, *packages]],
        "object": [{"@id": name} for name in ("config.yaml", "requirements.lock") if name in listed],
        "result": [part for part in parts if part["@id"] not in ("config.yaml", "requirements.lock")],
    }
    if started:
        action |= {"startTime": started[0]}
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Lagbench: {experiment}",
        "description": "Recurrent networks on long-range dependency tasks: the results of one experiment.",
        "license": "MIT",
        "datePublished": started[-1][:10] if started else "1970-01-01",
        "hasPart": parts,
        "mentions": {"@id": "#training"},
    }
    descriptor = {
        "@id": NAME,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    entities = [_describe_file(name, entry) for name, entry in listed.items()]
    return {"@context": CONTEXT, "@graph": [descriptor, root, action, *commits, *packages, *entities]}


def read(text: str, *, where: str) -> dict[str, Entry]:
    """Return what a manifest lists; one that is broken, or leads out of its folder, is a ValueError of one line."""
    try:
        entities = [entity for entity in json.loads(text)["@graph"] if entity.get("@type") == "File"]
        listed = {entity["@id"]: Entry(int(entity["contentSize"]), str(entity["sha256"])) for entity in entities}
        if len(listed) != len(entities):
            raise ValueError("a file is listed twice")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{where}: not a manifest of this suite ({type(error).__name__}: {error})") from None
    for name in listed:
        if not is_inside(name):
            raise ValueError(f"{where}: expected names below its folder; came {name[:100]!r}")
    return listed


def check(folder: Path) -> list[str]:
    """Return one line per file that differs from the manifest, is missing or is extra."""
    listed = read((folder / NAME).read_text(encoding="utf-8"), where=str(folder / NAME))
    existing = set(list_files(folder))
    lines = [f"missing: {name}" for name in listed if name not in existing]
    for name in sorted(existing & listed.keys()):
        with (folder / name).open("rb") as file:
            if compute_entry(file) != listed[name]:
                lines.append(f"differs: {name}")
    return sorted([*lines, *(f"extra: {name}" for name in existing - listed.keys())])


def compute_entry(file: IO[bytes]) -> Entry:
    """Return size and checksum of an open file."""
    checksum = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return Entry(file.tell(), checksum)


def is_inside(name: str) -> bool:
    """Return whether a name is that of a file below its folder: relative, without `..`, as `list_files` writes it."""
    parts = name.split("/")
    return bool(name) and "\\" not in name and not any(part in ("", ".", "..") for part in parts) and name.isprintable()


def _is_result(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.parts[0] not in OMITTED and path.name not in (NAME, "kernel.compiled")


def _runs(folder: Path) -> list[dict[str, str]]:
    try:
        with (folder / "provenance.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def _commits(runs: Iterable[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Describe the suite at each commit of the runs; uncommitted changes are named."""
    versions = sorted({(run.get("commit") or "unknown", run.get("dirty") == "True") for run in runs})
    return [
        {
            "@id": f"#lagbench-{commit}{'-dirty' if dirty else ''}",
            "@type": "SoftwareApplication",
            "name": "lagbench",
            "softwareVersion": f"{commit}{' with changes that are not committed' if dirty else ''}",
        }
        for commit, dirty in versions
    ]


def _packages(runs: Iterable[Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    columns = {("python", run.get("python")) for run in runs}
    columns |= {
        (name.removeprefix("versions."), run[name]) for run in runs for name in run if name.startswith("versions.")
    }
    for name, version in sorted((name, version) for name, version in columns if version):
        identifier = f"#{name}-{re.sub('[^0-9A-Za-z.+-]', '-', version)}"
        yield {"@id": identifier, "@type": "SoftwareApplication", "name": name, "softwareVersion": version}


def _describe_file(name: str, entry: Entry) -> dict[str, Any]:
    description: dict[str, Any] = {"@id": name, "@type": "File", "name": DESCRIPTIONS.get(name, name)}
    suffix = Path(name).suffix
    if suffix in FORMATS:
        description["encodingFormat"] = FORMATS[suffix]
    return description | {"contentSize": str(entry.size), "sha256": entry.sha256}
