"""Verifying published results: what was sampled, the verdict on each run, and whether all agree."""

import random
import secrets
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from workflow.analysis.agreement import Verdict, compare_run
from workflow.configuration.gate import finds_gpu
from workflow.configuration.refusal import printable
from workflow.verification.publication import Publication
from workflow.verification.recomputation import recompute

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


def verify(
    published: Publication, say: Callable[[str], None], *, size: int, seed: int | None, root: Path, cores: str, python: str
) -> bool:
    """Recompute a random sample of the published runs, say the verdict on each, and return whether all agree."""
    names = set(published.runs)
    on_gpu = {name for name in names if name.startswith("cuda/")}
    if on_gpu and not finds_gpu(python):
        say(f"left out: {len(on_gpu)} runs on cuda, as torch finds no GPU on this machine")
        names -= on_gpu
    if not names:
        raise ValueError(f"{published.folder}: no published run can be computed on this machine")
    sample = choose(names, size=size, seed=seed)
    seconds = sum(float(published.runs[name].provenance.get("wall_seconds") or 0) for name in sample.names)
    say(
        f"{published.folder}: {len(sample.names)} of {sample.of} runs, chosen with SEED={sample.seed}; "
        f"they took {seconds:.0f} s when they were published"
    )
    with tempfile.TemporaryDirectory(prefix="lagbench-verify-") as folder:
        found, failed = recompute(published, sample.names, folder=Path(folder), root=root, cores=cores)
    verdicts = {}
    for name in sample.names:
        run = published.runs[name]
        if name in found:
            ours = found[name]
            verdicts[name] = compare_run(run.rows, ours.rows, made=run.provenance, here=ours.provenance)
        else:
            verdicts[name] = Verdict(False, False, "NOT RECOMPUTED")
        say(f"{name.removesuffix('.json')}: {printable(verdicts[name].says)}")
    for line in failed:
        say(printable(line))
    say(_sum(list(verdicts.values())))
    return all(verdict.agrees for verdict in verdicts.values())


def _sum(verdicts: list[Verdict]) -> str:
    exact = sum(verdict.exact for verdict in verdicts)
    within = sum(verdict.agrees and not verdict.exact for verdict in verdicts)
    rule = " (the rule stands in results/README.md)" if within else ""
    agreeing = f"{exact + within} of {len(verdicts)} runs agree"
    return f"{agreeing}: {exact} bit for bit, {within} within tolerance{rule}"
