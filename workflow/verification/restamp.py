"""Gives records the digests of the code and settings of now, after a sample of them was recomputed bit for bit.

A renaming changes the digest of the code but no number. Without a restamp all records would be stale, and finished runs
would be trained again. Recomputed are a random sample, with at least one record for every change of a digest, and every
derived table; all must be equal, to the bit and to the byte, or nothing is written.

A machine that rounds otherwise than the publishing one cannot reproduce the published bits. There the code that
computed the records, in a source tree of its commit (`old`), recomputes the sample too: its digests must be those of
the records, and its results those of the code of now.
"""

import csv
import io
import json
import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from records.canonical_json import compute_digest, format_canonical_json
from records.writing import format_json
from workflow.archive import manifest
from workflow.jobs.derived import is_derived_current, list_derived, write_digest
from workflow.jobs.requested import Request
from workflow.verification.jobs import KINDS, PublishedJob, find_jobs, find_provenance
from workflow.verification.publication import REFERENCE, Publication, read_publication, read_table
from workflow.verification.recomputation import recompute, stopped_by_sigterm, touch
from workflow.verification.report import choose_seed, compare_records, filter_computable, report, verify_tables

LOG = "restamps.json"
STAMPS = ("sources", "settings")


class Stale(NamedTuple):
    """A record whose digests are not those of the code and settings of now."""

    path: str
    """Relative to the working directory of the workflow."""
    old: Mapping[str, str]
    """The provenance, with both digests."""
    new: Mapping[str, str]
    settings: Mapping[str, Any]
    job: PublishedJob | None = None
    """The baseline or measurement, unless it is a run."""

    @property
    def change(self) -> tuple[str, ...]:
        """What a sampled record stands for: all with the same digests of code, before and after.

        Another text of settings may come from what the config says of a task, a model or a gradient, so that each
        combination of these stands for itself.
        """
        digests = (self.job.kind if self.job else "run", self.old["sources"], self.new["sources"])
        if self.old["settings"] == self.new["settings"]:
            return digests
        labels = (self.settings.get(part, {"name": ""})["name"] for part in ("task", "model", "gradient"))
        return *digests, self.settings["device"], *labels


@stopped_by_sigterm()
def restamp_config(
    config: Path, *, size: int, seed: int | None, cores: str, root: Path, old: Path | None = None
) -> None:
    """Restamp what a config published, or raise a ValueError of one line and change nothing.

    `size` is that of the sample, which is larger if more digests have changed; `old` is a source tree of the code that
    computed the records.
    """
    published = read_publication(config, root=root)
    stale = find_stale(published)
    if not stale:
        _report(f"{published.folder}: no digest has changed")
        return
    if len(filter_computable(record.settings["device"] + "/" for record in stale)) < len(stale):
        raise ValueError("expected a GPU, as some of the stale records were computed on cuda; nothing is changed")
    seed = choose_seed(seed)
    sample = choose_records(stale, size=size, seed=seed)
    _report(f"{published.folder}: {len(sample)} of {len(stale)} stale records, chosen with SEED={seed}, are recomputed")
    for name, verdict in verify_tables(published).items():
        if not verdict.exact:
            raise ValueError(f"{name}: {verdict.message}; nothing is changed")
    evidence = _recompute_sample(published, sample, root=root, old=old, cores=cores)
    experiment, is_here = published.experiment, published.folder == Path(published.experiment.place.results)
    old_digests = {record.path: (record.old["settings"], record.old["sources"]) for record in stale}
    derived = list_derived(experiment, old=old_digests) if is_here else ()
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
    runs = f"{published.experiment.place.runs}/"
    records = [
        Stale(runs + name, run.provenance, _compute_stamps(run.request), run.request.settings)
        for name, run in published.runs.items()
    ]
    for job in (job for kind in KINDS for job in find_jobs(published, kind).values()):
        if provenance := find_provenance(published, job):
            stamps = _compute_stamps(job.request)
            records.append(Stale(job.path, _read_json(provenance), stamps, job.request.settings, job))
    return [record for record in records if any(record.old[stamp] != record.new[stamp] for stamp in STAMPS)]


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
    references = _recompute_by_old_code(published, sample, tree=old, cores=cores) if old else {}
    paths = [record.path for record in sample]
    with tempfile.TemporaryDirectory(prefix="lagbench-restamp-") as name:
        folder = Path(name)
        failures = recompute(published.config, paths, folder=folder, root=root, cores=cores)
        for path in (path for path in paths if not (folder / path).is_file()):
            raise ValueError("; ".join([f"{path} could not be recomputed", *failures, "nothing is changed"]))
        if old:
            _require_equal_results(references, folder=folder, old=old)
        else:
            _require_published_results(published, sample, folder=folder)
        provenance = _provenance_of(folder / paths[0])
    evidence = {name: provenance[name] for name in ("commit", "dirty", "processor_type")}
    return evidence | {"old_commit": _provenance_of(old / paths[0])["commit"] if old else None}


def _require_published_results(published: Publication, sample: Sequence[Stale], *, folder: Path) -> None:
    runs = [record.path.removeprefix(f"{published.experiment.place.runs}/") for record in sample if not record.job]
    verdicts = compare_records(published, runs, [record.job for record in sample if record.job], folder=folder)
    for label, verdict in verdicts.items():
        _report(f"{label}: {verdict.message}")
        if not verdict.exact:
            hint = "; if only this machine rounds otherwise: --old TREE runs the old code here too"
            raise ValueError(f"{label}: {verdict.message}; nothing is changed{hint if verdict.agrees else ''}")


def _require_equal_results(references: Mapping[str, str], *, folder: Path, old: Path) -> None:
    for path, results in references.items():
        if _read_results(folder / path) != results:
            raise ValueError(f"{path}: the code of now has other results than {old}; nothing is changed")
        _report(f"{path}: equal to the result of {old}, bit for bit")


def _recompute_by_old_code(
    published: Publication, sample: Sequence[Stale], *, tree: Path, cores: str
) -> dict[str, str]:
    """Return by path the results of the sample by the code in `tree`, which must have the digests of the records."""
    name = published.experiment.config["experiment"]
    configs = [tree / REFERENCE / name / "config.yaml", tree / "config" / f"{name}.yaml", published.config]
    config = next(path for path in configs if path.is_file())
    failures = recompute(config, [record.path for record in sample], folder=tree, root=tree, cores=cores)
    for record in sample:
        if not (tree / record.path).is_file():
            raise ValueError("; ".join([f"{tree}: {record.path} is not computed", *failures, "nothing is changed"]))
        provenance = _provenance_of(tree / record.path)
        for stamp in (stamp for stamp in STAMPS if provenance[stamp] != record.old[stamp]):
            digests = f"expected {stamp} {record.old[stamp][:12]}, came {provenance[stamp][:12]}"
            raise ValueError(f"{tree} is not the code of {record.path}: {digests}; nothing is changed")
    return {record.path: _read_results(tree / record.path) for record in sample}


def _write(published: Publication, stale: Sequence[Stale], *, entry: Mapping[str, Any]) -> None:
    """Write the new digests and the log: all files under other names first, and in place if all could be written."""
    folder = published.folder
    log = folder / LOG
    entries = _read_json(log) if log.is_file() else []
    drafts: dict[Path, Path] = {}
    try:
        _draft(drafts, log, json.dumps([*entries, entry], indent=1) + "\n")
        _draft(drafts, folder / "provenance.csv", _restamp_table(published, stale))
        for record in stale:
            path = folder / Path(record.path).relative_to(published.experiment.place.results)
            new = {"settings": record.settings, "sources": record.new["sources"]}
            for file, stamps in ((path, new), (path.with_suffix(".provenance.json"), record.new)):
                if file.is_file():
                    _draft(drafts, file, format_json(_read_json(file) | stamps))
        for path, draft in drafts.items():
            draft.replace(path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    if (folder / manifest.NAME).is_file():
        manifest.write(folder)


def _draft(drafts: dict[Path, Path], path: Path, text: str) -> None:
    drafts[path] = path.with_name(f".{path.name}.restamp")
    drafts[path].write_text(text, encoding="utf-8")


def _restamp_table(published: Publication, stale: Sequence[Stale]) -> str:
    """Return provenance.csv with the new digests of runs."""
    stamps = {record.path.removeprefix(f"{published.experiment.place.runs}/"): record.new for record in stale}
    rows = read_table(published.folder / "provenance.csv")
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, **stamps.get(row["run"], {})} for row in rows)
    return text.getvalue()


def _describe(stale: Sequence[Stale], *, sample: Sequence[Stale], seed: int) -> dict[str, Any]:
    """Return the entry of the log: what was sampled, and per change the digests and how many records have it."""
    digests = Counter((*record.change[:3], record.old["settings"] != record.new["settings"]) for record in stale)
    names = ("kind", "old_sources", "new_sources", "settings_changed")
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "records": len(stale),
        "sample": sorted(record.path for record in sample),
        "seed": seed,
        "changes": [dict(zip(names, key, strict=True)) | {"records": digests[key]} for key in sorted(digests)],
    }


def _compute_stamps(request: Request) -> dict[str, str]:
    return {"sources": request.sources, "settings": compute_digest(request.settings)}


def _provenance_of(record: Path) -> Any:
    return _read_json(record.with_suffix(".provenance.json"))


def _read_results(record: Path) -> str:
    """Return a record as text, without what the digests are of."""
    return format_canonical_json({name: value for name, value in _read_json(record).items() if name not in STAMPS})


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON; came {error}; nothing is changed") from None


def _report(line: str) -> None:
    report(line, command="restamp")
