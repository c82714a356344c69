"""Tables and figures on disk: a hidden file next to each holds the digest of all that it was computed from.

So a stale one is found whatever became of Snakemake's metadata, which can be lost and which copied results do not have.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from records.canonical_json import compute_digest
from records.writing import write_text
from workflow.experiment.experiment import Experiment
from workflow.experiment.source_tree import SourceTree
from workflow.experiment.tables import compute_sources, list_inputs, list_settings, sort_tables
from workflow.jobs.requested import FORMATS, Request, digest_requests, list_requests

CONFIG = ("search", "published", "gradients")
"""The keys of the configuration that the tables read which are computed from others."""
USUAL = ("summary", "statistics", "curves")
"""The tables that every figure reads."""


class Derived(NamedTuple):
    """A table or a figure."""

    outputs: Sequence[str]
    """Its files, relative to the working directory."""
    inputs: Sequence[str]
    """The files of the tables that it is computed from."""
    basis: str
    """A digest of all else that determines it: code, configuration and the records that it is computed from."""


def describe_table(
    experiment: Experiment,
    name: str,
    *,
    requested: Callable[[str], Iterable[Request]],
    old: Mapping[str, tuple[str, str]] | None = None,
) -> Derived:
    """Return what a table is computed from; `requested` gives the requested records of a kind.

    With `old`, digests of settings and code by path, it is as before these records were restamped.
    """
    file, results = experiment.registry.tables[name], experiment.place.results
    basis: dict[str, Any] = {"code": _hash_code(experiment.tree, f"workflow/tables/{name}.py")}
    if file.records:
        basis["records"] = digest_requests(requested(file.records), old=old)
    elif file.entry:
        basis |= {"settings": list_settings(experiment, name), "sources": compute_sources(experiment, name)}
    else:
        basis["config"] = {key: experiment.config.get(key) for key in CONFIG}
    inputs = [f"{results}/{table}.csv" for table in list_inputs(experiment, name)]
    return Derived([f"{results}/{name}.csv"], inputs, compute_digest(basis))


def describe_figure(experiment: Experiment, name: str) -> Derived:
    """Return what a figure is drawn from."""
    place = experiment.place
    inputs = [f"{place.results}/{table}.csv" for table in (*USUAL, *experiment.registry.figures[name].needs)]
    basis = {"code": _hash_code(experiment.tree, f"workflow/figures/{name}.py"), "labels": experiment.labels}
    return Derived([f"{place.figures}/{name}.{suffix}" for suffix in FORMATS], inputs, compute_digest(basis))


def list_derived(experiment: Experiment, *, old: Mapping[str, tuple[str, str]] | None = None) -> Iterator[Derived]:
    """Yield the tables of an experiment, those of its figures and all that these need, and the figures."""
    for name in sort_tables(experiment):
        yield describe_table(experiment, name, requested=lambda kind: list_requests(experiment, kind), old=old)
    for name in experiment.config["figures"]:
        yield describe_figure(experiment, name)


def write_digest(derived: Derived) -> None:
    """Write down what the files that lie there were computed from."""
    write_text(_digest_path(derived.outputs), _compute_digest(derived) + "\n")


def is_derived_current(derived: Derived, *, at: Callable[[str], str] = str) -> bool:
    """Return whether what lies there would be computed again just so; `at` says where a path of the workflow lies."""
    here = derived._replace(outputs=[*map(at, derived.outputs)], inputs=[*map(at, derived.inputs)])
    try:
        return _digest_path(here.outputs).read_text(encoding="utf-8").strip() == _compute_digest(here)
    except (OSError, ValueError):
        return False


def _digest_path(outputs: Sequence[str]) -> Path:
    path = Path(outputs[0])
    return path.with_name(f".{path.stem}.digest")


def _compute_digest(derived: Derived) -> str:
    return compute_digest([derived.basis, *(_hash_file(Path(path)) for path in (*derived.outputs, *derived.inputs))])


def _hash_code(tree: SourceTree, entry: str) -> list[str]:
    return [_hash_file(Path(path)) for path in tree.list_analysis_files(entry)]


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
