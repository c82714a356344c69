"""The manifest of an experiment: an RO-Crate of all its files with their SHA-256, equal bytes from equal files."""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from records.writing import write_text

NAME = "ro-crate-metadata.json"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
OMITTED = ("logs", "checkpoints", "partial", NAME, "kernel.compiled")
"""Folders and files without results."""
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


def list_entries(folder: Path) -> dict[str, Entry]:
    """Return the files of an experiment by name: no logs, checkpoints, partial results and hidden files."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] not in OMITTED and not any(part.startswith(".") for part in parts):
            with path.open("rb") as file:
                entries["/".join(parts)] = compute_entry(file)
    return entries


def write(folder: Path) -> int:
    """List the files of a folder in its manifest, and return how many these are."""
    listed = list_entries(folder)
    try:
        with (folder / "provenance.csv").open(newline="", encoding="utf-8") as file:
            runs = list(csv.DictReader(file))
    except FileNotFoundError:
        runs = []
    crate = build_crate(folder.name, listed, runs=runs)
    write_text(folder / NAME, json.dumps(crate, indent=1, ensure_ascii=False) + "\n")
    return len(listed)


def build_crate(experiment: str, listed: Mapping[str, Entry], *, runs: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the RO-Crate: the files, and the action that computed them, with commits and versions of the `runs`."""
    software = _list_software(runs)
    started = sorted(run["started"] for run in runs if run.get("started"))
    version, parts = {"@id": "https://w3id.org/ro/crate/1.1"}, _refer(listed)
    inputs = _refer(name for name in ("config.yaml", "requirements.lock") if name in listed)
    descriptor = _build_entity(NAME, "CreativeWork", conformsTo=version, about={"@id": "./"})
    root = _build_entity(
        "./",
        "Dataset",
        name=f"Lagbench: {experiment}",
        description="Recurrent networks on long-range dependency tasks: the results of one experiment.",
        license="MIT",
        datePublished=started[-1][:10] if started else "1970-01-01",
        hasPart=parts,
        mentions={"@id": "#training"},
    )
    action = _build_entity(
        "#training",
        "CreateAction",
        name=f"Training and evaluation of {experiment}",
        instrument=_refer(entity["@id"] for entity in software),
        object=inputs,
        result=[part for part in parts if part not in inputs],
        **({"startTime": started[0]} if started else {}),
    )
    files = [_describe_file(name, entry) for name, entry in listed.items()]
    return {"@context": CONTEXT, "@graph": [descriptor, root, action, *software, *files]}


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
    return find_differences(listed, list_entries(folder))


def find_differences(listed: Mapping[str, Entry], existing: Mapping[str, Entry | None]) -> list[str]:
    """Return one line per file that is not as it is listed."""
    lines = [f"missing: {name}" for name in listed.keys() - existing]
    lines += [f"extra: {name}" for name in existing.keys() - listed]
    return sorted(
        [*lines, *(f"differs: {name}" for name in listed.keys() & existing if listed[name] != existing[name])]
    )


def compute_entry(file: IO[bytes]) -> Entry:
    """Return size and checksum of an open file."""
    checksum = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return Entry(file.tell(), checksum)


def is_inside(name: str) -> bool:
    """Return whether a name is that of a file below its folder: relative, without `..`, as `list_files` writes it."""
    parts = name.split("/")
    return bool(name) and "\\" not in name and not any(part in ("", ".", "..") for part in parts) and name.isprintable()


def _list_software(runs: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Describe the suite at each commit of the runs, uncommitted changes named, and each version of a package."""
    versions = set()
    for run in runs:
        changes = " with changes that are not committed" if run.get("dirty") == "True" else ""
        versions.add(("lagbench", (run.get("commit") or "unknown") + changes))
        packages = [name for name in run if name == "python" or name.startswith("versions.")]
        versions |= {(name.removeprefix("versions."), run[name]) for name in packages if run[name]}
    return [
        _build_entity(
            f"#{name}-{re.sub('[^0-9A-Za-z.+-]', '-', version)}",
            "SoftwareApplication",
            name=name,
            softwareVersion=version,
        )
        for name, version in sorted(versions)
    ]


def _describe_file(name: str, entry: Entry) -> dict[str, Any]:
    encoding = {"encodingFormat": FORMATS[suffix]} if (suffix := Path(name).suffix) in FORMATS else {}
    content = {"contentSize": str(entry.size), "sha256": entry.sha256}
    return _build_entity(name, "File", name=DESCRIPTIONS.get(name, name), **encoding, **content)


def _build_entity(identifier: str, kind: str, **properties: Any) -> dict[str, Any]:
    return {"@id": identifier, "@type": kind, **properties}


def _refer(identifiers: Iterable[str]) -> list[dict[str, str]]:
    return [{"@id": identifier} for identifier in identifiers]
