"""Gives records the digests of the code and settings of now, after a sample of them was recomputed bit for bit.

A renaming changes the digest of the code but no number. Without a restamp all records would be stale, and finished runs
would be trained again. Recomputed are a random sample, with at least one record for every change of a digest, and every
derived table; all must be equal, to the bit and to the byte, or nothing is written.

A machine that rounds otherwise than the publishing one cannot reproduce the published bits. There the code that
computed the records, in a source tree of its commit (`old`), recomputes the sample too: its digests must be those of
the records, and its results those of the code of now.
"""

import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from records.canonical_json import format_canonical_json
from records.writing import format_json
from workflow.archive import manifest
from workflow.jobs.derived import is_derived_current, list_derived, write_digest
from workflow.verification.comparison import Verdict, read_table
from workflow.verification.publication import REFERENCE, Publication, PublishedJob, read_publication
from workflow.verification.recomputation import (
    compare_job,
    recompute,
    report,
    select_computable,
    touch,
    verify_tables,
)

LOG = "restamps.json"
STAMPS = ("settings", "sources")
_report = partial(report, command="restamp")


class Stale(NamedTuple):
    """A published job whose digests of settings and code are not those of now."""

    job: PublishedJob
    old: tuple[str, str]
    new: tuple[str, str]

    @property
    def path(self) -> str:
        """The path of its record, relative to the working directory of the workflow."""
        return self.job.request.path

    @property
    def change(self) -> tuple[str, ...]:
        """What a sampled record stands for: all with the same digests of code, before and after.

        Another text of settings may come from what the config says of a task, a model or a gradient, so that each
        combination of these stands for itself.
        """
        digests = (self.job.request.kind, self.old[1], self.new[1])
        device, task, _, model, gradient = self.job.request.condition
        return digests if self.old[0] == self.new[0] else (*digests, device, task, model, gradient)


def restamp_config(config: Path, *, size: int, seed: int, cores: str, root: Path, old: Path | None = None) -> None:
    """Restamp what a config published, or raise a ValueError of one line and change nothing.

    `size` is that of the sample, which is larger if more digests have changed; `old` is a source tree of the code that
    computed the records.
    """
    published = read_publication(config, root=root)
    stale = find_stale(published)
    if not stale:
        return _report(f"{published.folder}: no digest has changed")
    jobs = [record.job for record in stale]
    if len(select_computable(jobs)) < len(jobs):
        raise ValueError("expected a GPU, as some of the stale records were computed on cuda; nothing is changed")
    sample = choose_records(stale, size=size, seed=seed)
    _report(f"{published.folder}: {len(sample)} of {len(stale)} stale records, chosen with SEED={seed}, are recomputed")
    for name, verdict in verify_tables(published).items():
        if not verdict.exact:
            raise ValueError(f"{name}: {verdict.message}; nothing is changed")
    evidence = _recompute_sample(published, sample, root=root, old=old, cores=cores)
    experiment, is_here = published.experiment, published.folder == Path(published.experiment.place.results)
    derived = list_derived(experiment, old={record.path: record.old for record in stale}) if is_here else ()
    current = [each.outputs for each in derived if is_derived_current(each)]
    _write(published, stale, entry=_describe(stale, sample=sample, seed=seed) | evidence)
    if is_here:
        touch(config, [record.path for record in stale], root=root)
        for each in list_derived(experiment):
            if each.outputs in current:
                write_digest(each)
    _report(f"{published.folder}: {len(stale)} records have the digests of the code of now")


def find_stale(published: Publication) -> list[Stale]:
    """Return the published records whose digests have changed; a job without published provenance has none."""
    provenances = [(job, provenance) for job in published.jobs if (provenance := published.find_provenance(job))]
    records = [Stale(job, (own["settings"], own["sources"]), job.request.digests) for job, own in provenances]
    return [record for record in records if record.old != record.new]


def choose_records(stale: Sequence[Stale], *, size: int, seed: int) -> list[Stale]:
    """Choose records at random: one of every change, and others up to `size`."""
    shuffled = random.Random(seed).sample(sorted(stale, key=lambda record: record.path), len(stale))
    of_change = {record.change: record for record in reversed(shuffled)}
    others = [record for record in shuffled if of_change[record.change] is not record]
    return [*of_change.values(), *others[: max(0, size - len(of_change))]]


def _recompute_sample(
    published: Publication, sample: Sequence[Stale], *, root: Path, old: Path | None, cores: str
) -> dict[str, Any]:
    """Recompute the sample, raise a ValueError unless all of it is equal, and return by which code it was."""
    if old:
        _recompute_by_old_code(published, sample, tree=old, cores=cores)
    with tempfile.TemporaryDirectory(prefix="lagbench-restamp-") as name:
        folder = Path(name)
        _recompute(published.config, sample, folder=folder, root=root, cores=cores)
        for record in sample:
            verdict = _compare(published, record, folder=folder, old=old)
            text = f"{record.job.label}: {verdict.message}"
            if not verdict.exact:
                hint = "; if only this machine rounds otherwise: --old TREE runs the old code here too"
                raise ValueError(f"{text}; nothing is changed{hint if verdict.agrees else ''}")
            _report(text)
        provenance = _read_provenance(folder / sample[0].path)
    old_commit = _read_provenance(old / sample[0].path)["commit"] if old else None
    return {name: provenance[name] for name in ("commit", "dirty", "processor_type")} | {"old_commit": old_commit}


def _recompute_by_old_code(published: Publication, sample: Sequence[Stale], *, tree: Path, cores: str) -> None:
    """Recompute the sample by the code in `tree`, which must have the digests of the records."""
    name = published.experiment.config["experiment"]
    configs = [tree / REFERENCE / name / "config.yaml", tree / "config" / f"{name}.yaml", published.config]
    config = next(path for path in configs if path.is_file())
    _recompute(config, sample, folder=tree, root=tree, cores=cores)
    for record in sample:
        provenance = _read_provenance(tree / record.path)
        for stamp, digest in zip(STAMPS, record.old, strict=True):
            if provenance[stamp] != digest:
                digests = f"expected {stamp} {digest[:12]}, came {provenance[stamp][:12]}"
                raise ValueError(f"{tree} is not the code of {record.path}: {digests}; nothing is changed")


def _recompute(config: Path, sample: Sequence[Stale], *, folder: Path, root: Path, cores: str) -> None:
    paths = [record.path for record in sample]
    failures = recompute(config, paths, folder=folder, root=root, cores=cores)
    for path in (path for path in paths if not (folder / path).is_file()):
        raise ValueError("; ".join([f"{path} could not be recomputed by {root}", *failures, "nothing is changed"]))


def _compare(published: Publication, record: Stale, *, folder: Path, old: Path | None) -> Verdict:
    """Compare a recomputed record with that of the old code, or else with what is published of it."""
    if not old:
        return compare_job(published, record.job, folder=folder)
    now, before = (
        {name: value for name, value in _read_json(place / record.path).items() if name not in STAMPS}
        for place in (folder, old)
    )
    is_equal = format_canonical_json(now) == format_canonical_json(before)
    return Verdict(is_equal, is_equal, f"{'equal to' if is_equal else 'other than'} the result of {old}, bit for bit")


def _write(published: Publication, stale: Sequence[Stale], *, entry: dict[str, Any]) -> None:
    """Write the new digests and the log: all files under other names first, and in place if all could be written."""
    drafts: dict[Path, Path] = {}
    try:
        for path, text in _restamp_files(published, stale, entry=entry):
            drafts[path] = path.with_name(f".{path.name}.restamp")
            drafts[path].write_text(text, encoding="utf-8")
        for path, draft in drafts.items():
            draft.replace(path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    if (published.folder / manifest.NAME).is_file():
        manifest.write(published.folder)


def _restamp_files(
    published: Publication, stale: Sequence[Stale], *, entry: dict[str, Any]
) -> Iterator[tuple[Path, str]]:
    """Yield the files that hold digests, with their new text."""
    log, table = published.folder / LOG, published.folder / "provenance.csv"
    entries = _read_json(log) if log.is_file() else []
    yield log, json.dumps([*entries, entry], indent=1) + "\n"
    rows = read_table(table).set_index("run", drop=False)
    for record in stale:
        stamps = dict(zip(STAMPS, record.new, strict=True))
        if record.job.request.kind == "run":
            rows.loc[f"{record.job.name}.json", list(STAMPS)] = record.new
        path = published.folder / Path(record.path).relative_to(published.experiment.place.results)
        new = {path: stamps | {"settings": record.job.request.settings}, path.with_suffix(".provenance.json"): stamps}
        for file in new:
            if file.is_file():
                yield file, format_json(_read_json(file) | new[file])
    yield table, rows.to_csv(index=False, lineterminator="\n")


def _describe(stale: Sequence[Stale], *, sample: Sequence[Stale], seed: int) -> dict[str, Any]:
    """Return the entry of the log: what was sampled, and per change the digests and how many records have it."""
    changes = Counter((*record.change[:3], record.old[0] != record.new[0]) for record in stale)
    names = ("kind", "old_sources", "new_sources", "settings_changed")
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "records": len(stale),
        "sample": sorted(record.path for record in sample),
        "seed": seed,
        "changes": [dict(zip(names, change, strict=True)) | {"records": changes[change]} for change in sorted(changes)],
    }


def _read_provenance(record: Path) -> Any:
    return _read_json(record.with_suffix(".provenance.json"))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON; came {error}; nothing is changed") from None
