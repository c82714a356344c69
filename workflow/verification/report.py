"""Verifying published results: what was sampled, the verdict on each table, run and job, and whether all agree."""

import random
import secrets
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from records.log import printable
from workflow.experiment.gate import finds_gpu
from workflow.verification import jobs
from workflow.verification.agreement import Verdict, compare_run
from workflow.verification.publication import Publication, Run, publication
from workflow.verification.recomputation import read_run, recompute, stopped_by_sigterm
from workflow.verification.tables import check_tables

SAMPLE = 10  # of the 96 runs of config/default.yaml, a minute on two cores


class Sample(NamedTuple):
    """Runs chosen at random, and how to choose them again."""

    names: list[str]
    seed: int
    of: int


def choose(names: Iterable[str], *, size: int, seed: int | None) -> Sample:
    """Choose `size` of the runs, or all if there are fewer; without a seed by one that is drawn."""
    if size < 1:
        raise ValueError(f"expected a sample of at least 1 run; came {size}")
    known, seed = sorted(names), secrets.randbelow(1_000_000) if seed is None else seed
    return Sample(sorted(random.Random(seed).sample(known, min(size, len(known)))), seed, len(known))


@stopped_by_sigterm()
def verify_config(config: Path, *, size: int | None, seed: int | None, cores: str, root: Path) -> bool:
    """Verify what a config published, say so on the terminal, and return whether all agrees; `size` None: `SAMPLE`."""
    published = publication(config, root=root)
    runs = _computable(published.runs)
    if len(runs) < len(published.runs):
        say(f"left out: {len(published.runs) - len(runs)} runs on cuda, as torch finds no GPU on this machine")
    sample = choose(runs, size=SAMPLE if size is None else size, seed=seed)
    differing = verify_tables(published)
    if not runs:
        raise ValueError(f"{published.folder}: no published run can be computed on this machine")
    of_jobs = {kind: _computable(jobs.names(published, kind)) for kind in jobs.KINDS}
    beside = {kind: choose(names, size=1, seed=sample.seed) for kind, names in of_jobs.items() if names}
    agree = verify(published, sample, beside=beside, cores=cores, root=root)
    if differing:
        say(f"DIFFERS, see above: {', '.join(differing)}")
    return agree and not differing


def verify_tables(published: Publication) -> list[str]:
    """Make the tables that are made of others again, say the verdict on each, and return those that do not agree."""
    verdicts = {}
    for name, verdict in check_tables(published):
        say(f"{name}.csv: {verdict.says if verdict else 'not published'}")
        if verdict:
            verdicts[f"{name}.csv"] = verdict.agrees
    say(f"{sum(verdicts.values())} of {len(verdicts)} tables that are made of others agree")
    return [name for name, agrees in verdicts.items() if not agrees]


def verify(published: Publication, sample: Sample, *, beside: Mapping[str, Sample], cores: str, root: Path) -> bool:
    """Recompute the sampled runs, and jobs of the kinds `beside`, say the verdict on each; return whether all agree."""
    seconds = sum(float(published.runs[name].provenance.get("wall_seconds") or 0) for name in sample.names)
    counts = [f"{len(picked.names)} of {picked.of} {kind}s" for kind, picked in {"run": sample, **beside}.items()]
    say(
        f"{published.folder}: {', '.join(counts)}, chosen with SEED={sample.seed}; "
        f"the runs took {seconds:.0f} s when they were published"
    )
    chosen = [jobs.job(published, kind, name=name) for kind, of_kind in beside.items() for name in of_kind.names]
    paths = {name: f"{published.experiment.place.runs}/{name}" for name in sample.names}
    with tempfile.TemporaryDirectory(prefix="lagbench-verify-") as made:
        folder = Path(made)
        asked = [*paths.values(), *(job.path for job in chosen)]
        failed = recompute(published, asked, folder=folder, root=root, cores=cores)
        verdicts = {name: _verdict(published.runs[name], folder / path, folder) for name, path in paths.items()}
        of_jobs = {f"{job.kind} {job.name}": jobs.verdict(published, job, folder=folder) for job in chosen}
    for name, verdict in (verdicts | of_jobs).items():
        say(f"{name.removesuffix('.json')}: {verdict.says}")
    for line in failed:
        say(line)
    exact = sum(verdict.exact for verdict in verdicts.values())
    within = sum(verdict.agrees and not verdict.exact for verdict in verdicts.values())
    rule = " (results/README.md has the rule)" if within else ""
    say(f"{exact + within} of {len(verdicts)} runs agree: {exact} bit for bit, {within} within tolerance{rule}")
    return all(verdict.agrees for verdict in (verdicts | of_jobs).values())


def say(line: str) -> None:
    """Write a line to the terminal."""
    print(f"verify: {printable(line)}", flush=True)


def _computable(names: Iterable[str]) -> list[str]:
    """Return the runs or jobs that this machine has the device for."""
    names = list(names)
    on_gpu = {name for name in names if name.startswith("cuda/")}
    return [name for name in names if name not in on_gpu] if on_gpu and not finds_gpu(sys.executable) else names


def _verdict(run: Run, path: Path, folder: Path) -> Verdict:
    if not path.exists():
        return Verdict(False, False, "NOT RECOMPUTED")
    ours = read_run(run, path, folder=folder)
    return compare_run(run.rows, ours.rows, made=run.provenance, here=ours.provenance)
