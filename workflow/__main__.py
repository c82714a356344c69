"""The command line: `python -m workflow COMMAND --help`; the Makefile's targets call it."""

import argparse
import inspect
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

from records.log import describe_error
from workflow.archive import manifest as manifests
from workflow.archive import packing
from workflow.experiment.experiment import Experiment
from workflow.experiment.gate import admit_file
from workflow.jobs.process import limit_threads
from workflow.jobs.requested import requested_records
from workflow.operations.outcome import (
    find_problems,
    load_versions,
    read_installed_versions,
    report_outcome,
    report_versions,
)

ROOT = Path(__file__).resolve().parents[1]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SUITES = {"cell": "tests/models/test_conformance.py", "task": "tests/tasks/test_conformance.py"}
COMMANDS: dict[str, tuple[Callable[..., Any], dict[str, str]]] = {}
"""What each command runs, and what its options mean; its arguments are those of the function."""


def command(**options: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function the command of its name."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        COMMANDS[run.__name__] = run, options
        return run

    return register


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; exit 1 if it fails or finds that something is not as it should be."""
    arguments = vars(build_parser().parse_args(words))
    name = arguments.pop("command")
    limit_threads(1, kernel="reference")  # as the jobs that compute tables have: BLAS rounds by its threads
    try:
        return int(COMMANDS[name][0](**arguments) or 0)
    except KeyboardInterrupt:
        print(f"{name}: stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"{name}: {describe_error(error)}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m workflow", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for run, options in COMMANDS.values():
        added = commands.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        for name, parameter in inspect.signature(run).parameters.items():
            if name not in options:
                added.add_argument(name, type=Path, metavar=name.upper())
            elif parameter.annotation is bool:
                added.add_argument(f"--{name}", action="store_true", help=options[name])
            else:
                text = options[name] + (f" (default: {parameter.default})" if parameter.default else "")
                kind = (get_args(parameter.annotation) or [parameter.annotation])[0]
                added.add_argument(f"--{name}", type=kind, default=parameter.default, help=text)
    return parser


@command()
def validate(config: Path) -> None:
    """Check a configuration file; a mistake is one line."""
    admit_file(config, root=ROOT)


@command(cores="cores that a run would have", seconds="seconds after which no further job is timed")
def estimate(config: Path, *, cores: int = CORES, seconds: float = 40.0) -> None:
    """Estimate what a run will cost before it is begun: jobs, core-hours, memory, disk."""
    from workflow.operations.estimate import report_estimate

    for line in report_estimate(_load(config), cores=cores, seconds=seconds):
        print(line)


@command()
def status(config: Path) -> None:
    """Report which jobs are done, run, wait or failed, and why."""
    from workflow.operations.status import find_status, report_status

    experiment = _load(config)
    statuses = [find_status(request) for request in requested_records(experiment)]
    print(*report_status(statuses, experiment=experiment), sep="\n")


@command()
def partial(config: Path) -> None:
    """Write tables and figures of what there is so far, also while a run goes on."""
    from workflow.operations.partial import report_partial, write_partial

    print(*report_partial(*write_partial(_load(config))), sep="\n")


@command()
def outcome(config: Path) -> None:
    """Report where the results are; exit 1 if some are missing or stale."""
    experiment = _load(config)
    versions = load_versions(requested_records(experiment))
    print(*report_outcome(experiment.place), sep="\n")
    for line in report_versions(versions, installed=read_installed_versions(), config=str(config)):
        print(line)
    _require_results(experiment)


@command(cores="cores")
def retrain(config: Path, *, cores: str = "all") -> bool:
    """Train again what other versions of torch, numpy or numba trained."""
    installed = read_installed_versions()
    stale = [path for path, own in load_versions(requested_records(_load(config))).items() if own != installed]
    if not stale:
        print("retrain: all runs were trained under the versions that are installed")
    else:
        words = ["--cores", cores, "--quiet", "host", "rules", "--snakefile", str(ROOT / "Snakefile")]
        words += ["--configfile", str(config), "--forcerun", *stale]
        if subprocess.run([sys.executable, "-m", "snakemake", *words], check=False).returncode:
            return True
    outcome(config)
    return False


_SEED = "seed of the sample, by default a random one"
RANDOM_SEED = secrets.randbelow(1_000_000)


@command(sample="how many runs", seed=_SEED, cores="cores")
def verify(config_or_archive: Path, *, sample: int = 10, seed: int = RANDOM_SEED, cores: str = "all") -> bool:
    """Compute published tables and a random sample of runs again and compare."""
    from workflow.verification.recomputation import verify_config

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does, it leaves nothing behind
    config = config_or_archive
    with tempfile.TemporaryDirectory(prefix="lagbench-archive-") as folder:
        if zipfile.is_zipfile(config_or_archive) or config_or_archive.suffix == ".zip":
            if _report_differences(config_or_archive, packing.check(config_or_archive)):
                return True
            config = packing.unpack(config_or_archive, Path(folder)) / "config.yaml"
        return not verify_config(config, size=sample, seed=seed, cores=cores, root=ROOT)


@command(report="Snakemake's report too")
def archive(config: Path, *, report: bool = False) -> None:
    """Pack a finished experiment into results/<experiment>.zip, with checksums; exit 1 if it is not finished."""
    experiment = _load(config)
    _require_results(experiment)
    if report:
        packing.write_report(experiment, config)
    folder = packing.add_metadata(experiment)
    count = manifests.write(folder)
    path = packing.pack(folder, folder.with_name(f"{folder.name}.zip"))
    print(f"archive: {path.absolute()}: {count} files, {path.stat().st_size} bytes")


@command(check="report which files differ, are missing or are extra")
def manifest(folder: Path, *, check: bool = False) -> bool:
    """List the files of a folder of results in its manifest, or check them against it."""
    if check:
        return _report_differences(folder, manifests.check(folder))
    if not folder.is_dir():
        raise ValueError(f"expected a folder of results; came {folder}")
    print(f"manifest: {folder / manifests.NAME}: {manifests.write(folder)} files")
    return False


@command(sample="how many records at least", seed=_SEED, cores="cores", old="source tree that computed the records")
def restamp(
    config: Path, *, sample: int = 10, seed: int = RANDOM_SEED, cores: str = "all", old: Path | None = None
) -> None:
    """Give published records the digests of today's code, once a random sample came out bit for bit."""
    from workflow.verification.restamp import restamp_config

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does, it leaves nothing behind
    restamp_config(config, size=sample, seed=seed, cores=cores, root=ROOT, old=old)


@command(cell="the cell whose file is checked", task="the task whose file is checked")
def check(*, cell: str | None = None, task: str | None = None) -> bool:
    """Run the conformance suite for one cell or task."""
    if bool(cell) == bool(task):
        raise ValueError("expected one of --cell NAME and --task NAME (make check CELL=NAME, or TASK=NAME)")
    kind = "cell" if cell else "task"
    words = ["-q", "-p", "no:cacheprovider", SUITES[kind], f"--{kind}", str(cell or task)]
    return bool(subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, check=False).returncode)


@command()
def document() -> None:
    """Write the generated parts of the documentation anew."""
    from workflow.operations.document import update_documents

    print(*(f"written: {name}" for name in update_documents(ROOT)), sep="\n")


def _load(config: Path) -> Experiment:
    return admit_file(config, root=ROOT).experiment


def _require_results(experiment: Experiment) -> None:
    if problems := "; ".join(find_problems(experiment)):
        raise ValueError(problems)


def _report_differences(path: Path, lines: list[str]) -> bool:
    print(*(f"archive: {line}\n" for line in lines), sep="", end="")
    summary = f"{len(lines)} files differ, are missing or are extra" if lines else "every file is as it is listed"
    print(f"archive: {path}: {summary}")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
