"""Verifying published results: what was sampled, the verdict on each run, and whether all agree."""

import random
import secrets
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from workflow.analysis.agreement import Verdict, compare_run
from workflow.configuration.gate import finds_gpu
from workflow.configuration.refusal import printable
from workflow.verification.publication import Publication, Run, publication
from workflow.verification.recomputation import Recomputed, recompute

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


def verify_config(config: Path, *, size: int | None, seed: int | None, cores: str, root: Path) -> bool:
    """Verify what a config published, say so on the terminal, and return whether all agrees; `size` None: `SAMPLE`."""
    published = publication(config, root=root)
    names = set(published.runs)
    on_gpu = {name for name in names if name.startswith("cuda/")}
    if on_gpu and not finds_gpu(sys.executable):
        say(f"left out: {len(on_gpu)} runs on cuda, as torch finds no GPU on this machine")
        names -= on_gpu
    if not names:
        raise ValueError(f"{published.folder}: no published run can be computed on this machine")
    return verify(published, choose(names, size=SAMPLE if size is None else size, seed=seed), cores=cores, root=root)


def verify(published: Publication, sample: Sample, *, cores: str, root: Path) -> bool:
    """Recompute the sampled runs, say the verdict on each, and return whether all agree."""
    seconds = sum(float(published.runs[name].provenance.get("wall_seconds") or 0) for name in sample.names)
    say(
        f"{published.folder}: {len(sample.names)} of {sample.of} runs, chosen with SEED={sample.seed}; "
        f"they took {seconds:.0f} s when they were published"
    )
    with tempfile.TemporaryDirectory(prefix="lagbench-verify-") as folder:
        found, failed = recompute(published, sample.names, folder=Path(folder), root=root, cores=cores)
    verdicts = {name: _verdict(published.runs[name], found.get(name)) for name in sample.names}
    for name, verdict in verdicts.items():
        say(f"{name.removesuffix('.json')}: {verdict.says}")
    for line in failed:
        say(line)
    exact = sum(verdict.exact for verdict in verdicts.values())
    within = sum(verdict.agrees and not verdict.exact for verdict in verdicts.values())
    rule = " (results/README.md has the rule)" if within else ""
    say(f"{exact + within} of {len(verdicts)} runs agree: {exact} bit for bit, {within} within tolerance{rule}")
    return exact + within == len(verdicts)


def say(line: str) -> None:
    """Write a line to the terminal."""
    print(f"verify: {printable(line)}", flush=True)


def _verdict(run: Run, ours: Recomputed | None) -> Verdict:
    if ours is None:
        return Verdict(False, False, "NOT RECOMPUTED")
    return compare_run(run.rows, ours.rows, made=run.provenance, here=ours.provenance)
