"""Verifies published results and reports: the sample, the verdict on each table, run and job, and whether all agree."""

import random
import secrets
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from records.log import printable
from workflow.experiment.gate import finds_gpu
from workflow.verification.agreement import Verdict, compare_run
from workflow.verification.jobs import KINDS, PublishedJob, compare_job, find_jobs
from workflow.verification.publication import Publication, Run, read_publication
from workflow.verification.recomputation import read_run, recompute, stopped_by_sigterm
from workflow.verification.tables import check_tables

SAMPLE = 10  # of the 96 runs of config/default.yaml, a minute on two cores


class Sample(NamedTuple):
    """Names chosen at random, and how to choose them again."""

    names: list[str]
    seed: int
    total: int


def choose_sample(names: Iterable[str], *, size: int, seed: int | None) -> Sample:
    """Choose `size` of the names, or all if there are fewer; without a seed by a random one."""
    if size < 1:
        raise ValueError(f"expected a sample of at least 1 run; came {size}")
    population, seed = sorted(names), choose_seed(seed)
    return Sample(sorted(random.Random(seed).sample(population, min(size, len(population)))), seed, len(population))


def choose_seed(seed: int | None) -> int:
    """Return the seed of a sample: the given one, or else a random one."""
    return secrets.randbelow(1_000_000) if seed is None else seed


@stopped_by_sigterm()
def verify_config(config: Path, *, size: int | None, seed: int | None, cores: str, root: Path) -> bool:
    """Verify and report what a config published; return whether all agrees. `size` None: `SAMPLE`."""
    published = read_publication(config, root=root)
    runs = filter_computable(published.runs)
    if len(runs) < len(published.runs):
        report(f"left out: {len(published.runs) - len(runs)} runs on cuda, as torch finds no GPU on this machine")
    sample = choose_sample(runs, size=SAMPLE if size is None else size, seed=seed)
    verdicts = verify_tables(published)
    differing = [name for name, verdict in verdicts.items() if not verdict.agrees]
    if not runs:
        raise ValueError(f"{published.folder}: no published run can be computed on this machine")
    jobs = {kind: find_jobs(published, kind) for kind in KINDS}
    computable = {kind: filter_computable(jobs[kind]) for kind in KINDS}
    samples = {kind: choose_sample(names, size=1, seed=sample.seed) for kind, names in computable.items() if names}
    agree = _verify_sample(published, sample, jobs=jobs, samples=samples, cores=cores, root=root)
    if differing:
        report(f"DIFFERS, see above: {', '.join(differing)}")
    return agree and not differing


def verify_tables(published: Publication) -> dict[str, Verdict]:
    """Recompute the published derived tables, report the verdict on each, and return the verdicts by file name."""
    verdicts = {}
    for name, verdict in check_tables(published):
        report(f"{name}.csv: {verdict.message if verdict else 'not published'}")
        if verdict:
            verdicts[f"{name}.csv"] = verdict
    agreeing = sum(verdict.agrees for verdict in verdicts.values())
    report(f"{agreeing} of {len(verdicts)} derived tables agree")
    return verdicts


def compare_records(
    published: Publication, runs: Iterable[str], jobs: Iterable[PublishedJob], *, folder: Path
) -> dict[str, Verdict]:
    """Compare published runs and jobs with their records, as they were recomputed below `folder`."""
    paths = {name: folder / published.experiment.place.runs / name for name in runs}
    verdicts = {name: _compare_run(published, published.runs[name], path, folder) for name, path in paths.items()}
    return verdicts | {f"{job.kind} {job.name}": compare_job(published, job, folder=folder) for job in jobs}


def report(line: str, *, command: str = "verify") -> None:
    """Write a line to the terminal."""
    print(f"{command}: {printable(line)}", flush=True)


def filter_computable(names: Iterable[str]) -> list[str]:
    """Return the runs or jobs that this machine has the device for."""
    names = list(names)
    on_gpu = {name for name in names if name.startswith("cuda/")}
    return [name for name in names if name not in on_gpu] if on_gpu and not finds_gpu(sys.executable) else names


def _verify_sample(
    published: Publication,
    sample: Sample,
    *,
    jobs: Mapping[str, Mapping[str, PublishedJob]],
    samples: Mapping[str, Sample],
    cores: str,
    root: Path,
) -> bool:
    """Recompute the sampled runs and jobs, report the verdict on each, and return whether all agree."""
    seconds = sum(float(published.runs[name].provenance.get("wall_seconds") or 0) for name in sample.names)
    counts = [f"{len(part.names)} of {part.total} {kind}s" for kind, part in {"run": sample, **samples}.items()]
    report(
        f"{published.folder}: {', '.join(counts)}, chosen with SEED={sample.seed}; "
        f"the runs took {seconds:.0f} s when they were published"
    )
    chosen = [jobs[kind][name] for kind, part in samples.items() for name in part.names]
    paths = [*(f"{published.experiment.place.runs}/{name}" for name in sample.names), *(job.path for job in chosen)]
    with tempfile.TemporaryDirectory(prefix="lagbench-verify-") as name:
        folder = Path(name)
        failures = recompute(published.config, paths, folder=folder, root=root, cores=cores)
        verdicts = compare_records(published, sample.names, chosen, folder=folder)
    for name, verdict in verdicts.items():
        report(f"{name.removesuffix('.json')}: {verdict.message}")
    for line in failures:
        report(line)
    exact = sum(verdicts[name].exact for name in sample.names)
    within = sum(verdicts[name].agrees for name in sample.names) - exact
    rule = " (results/README.md has the rule)" if within else ""
    report(f"{exact + within} of {len(sample.names)} runs agree: {exact} bit for bit, {within} within tolerance{rule}")
    return all(verdict.agrees for verdict in verdicts.values())


def _compare_run(published: Publication, run: Run, path: Path, folder: Path) -> Verdict:
    if not path.exists():
        return Verdict(False, False, "NOT RECOMPUTED")
    recomputed = read_run(published, run, path, folder=folder)
    return compare_run(run.rows, recomputed.rows, provenances=(run.provenance, recomputed.provenance))
