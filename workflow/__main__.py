"""The command line: `python -m workflow COMMAND --help`; the Makefile's targets call it."""

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from records.log import describe_error
from workflow.jobs.process import limit_threads

if TYPE_CHECKING:
    from workflow.experiment.experiment import Experiment

ROOT = Path(__file__).resolve().parents[1]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SUITES = {"cell": "tests/models/test_conformance.py", "task": "tests/tasks/test_conformance.py"}


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; exit 1 if it fails or finds that something is not as it should be."""
    given = build_parser().parse_args(words)
    limit_threads(1, kernel="reference")  # as the jobs that compute tables have: BLAS rounds by its threads
    try:
        return int(given.run(given) or 0)
    except KeyboardInterrupt:
        print(f"{given.command}: stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"{given.command}: {describe_error(error)}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m workflow", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (run, subject) in COMMANDS.items():
        command = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        command.set_defaults(run=run)
        if subject:
            command.add_argument("path", type=Path, metavar=subject)
        for flag, options in OPTIONS.get(name, {}).items():
            command.add_argument(f"--{flag}", **options)
    return parser


def _validate(given: argparse.Namespace) -> None:
    """Check a configuration file; a mistake is one line."""
    _load(given.path)


def _estimate(given: argparse.Namespace) -> None:
    """Estimate what a run will cost before it is begun: jobs, core-hours, memory, disk."""
    from workflow.operations.estimate import report_estimate

    for line in report_estimate(_load(given.path), cores=given.cores, seconds=given.seconds):
        print(line)


def _status(given: argparse.Namespace) -> None:
    """Report what is done, runs, waits, failed and why."""
    from workflow.jobs.requested import requested_records
    from workflow.operations.status import find_status, report_status

    experiment = _load(given.path)
    statuses = find_status(requested_records(experiment), results=experiment.place.results)
    print(*report_status(statuses, experiment=experiment), sep="\n")


def _partial(given: argparse.Namespace) -> None:
    """Write tables and figures of what there is so far, also while a run goes on."""
    from workflow.operations.partial import report_partial, write_partial

    print(*report_partial(*write_partial(_load(given.path))), sep="\n")


def _outcome(given: argparse.Namespace) -> None:
    """Report where the results are; exit 1 if some are missing or stale."""
    from workflow.jobs.requested import requested_records
    from workflow.operations.outcome import find_problems, report_outcome
    from workflow.operations.staleness import load_provenance, read_installed_versions, report_versions

    experiment = _load(given.path)
    requests = requested_records(experiment)
    print(*report_outcome(experiment.place), sep="\n")
    for line in report_versions(load_provenance(requests), here=read_installed_versions(), config=str(given.path)):
        print(line)
    if problems := "; ".join(find_problems(experiment)):
        raise ValueError(problems)


def _retrain(given: argparse.Namespace) -> bool:
    """Train again what other versions of torch, numpy or numba trained."""
    from workflow.jobs.requested import requested_records
    from workflow.operations.staleness import find_other_versions, load_provenance, read_installed_versions

    finished = load_provenance(requested_records(_load(given.path)))
    stale = find_other_versions(finished, here=read_installed_versions())
    if not stale:
        print("retrain: all runs were trained under the versions that are installed")
    else:
        command = [sys.executable, "-m", "snakemake", "--cores", given.cores, "--quiet", "host", "rules"]
        command += ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(given.path), "--forcerun", *stale]
        if subprocess.run(command, check=False).returncode:
            return True
    _outcome(given)
    return False


def _verify(given: argparse.Namespace) -> bool:
    """Compute published tables and a random sample of runs again and compare."""
    from workflow.archive import packing
    from workflow.verification.report import verify_config

    how = {"size": given.sample, "seed": given.seed, "cores": given.cores, "root": ROOT}
    if not (zipfile.is_zipfile(given.path) or given.path.suffix == ".zip"):
        return not verify_config(given.path, **how)
    if _report_differences(given.path, packing.check(given.path)):
        return True
    with tempfile.TemporaryDirectory(prefix="lagbench-archive-") as folder:
        return not verify_config(packing.unpack(given.path, Path(folder)) / "config.yaml", **how)


def _archive(given: argparse.Namespace) -> None:
    """Pack a finished experiment into results/<experiment>.zip, with checksums; exit 1 if it is not finished."""
    from workflow.archive import manifest, packing
    from workflow.operations.outcome import find_problems

    experiment = _load(given.path)
    if problems := "; ".join(find_problems(experiment)):
        raise ValueError(problems)
    if given.report:
        packing.write_report(experiment, given.path)
    folder = packing.add_metadata(experiment)
    archive = packing.pack(folder, folder.with_name(f"{folder.name}.zip"))
    print(f"archive: {archive.absolute()}: {len(manifest.list_files(folder))} files, {archive.stat().st_size} bytes")


def _manifest(given: argparse.Namespace) -> bool:
    """List the files of a folder of results in its manifest, or check them against it."""
    from workflow.archive import manifest

    if given.check:
        return _report_differences(given.path, manifest.check(given.path))
    if not given.path.is_dir():
        raise ValueError(f"expected a folder of results; came {given.path}")
    print(f"manifest: {manifest.write(given.path)}: {len(manifest.list_files(given.path))} files")
    return False


def _restamp(given: argparse.Namespace) -> None:
    """Give published records the digests of the code of now, once a random sample came out bit for bit."""
    from workflow.verification.restamp import restamp_config

    restamp_config(given.path, size=given.sample, seed=given.seed, cores=given.cores, root=ROOT, old=given.old)


def _check(given: argparse.Namespace) -> bool:
    """Run the conformance suite for one cell or task."""
    chosen = {kind: name for kind in SUITES if (name := getattr(given, kind))}
    if len(chosen) != 1:
        raise ValueError("expected one of --cell NAME and --task NAME")
    ((kind, name),) = chosen.items()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", SUITES[kind], f"--{kind}", name]
    return bool(subprocess.run(command, cwd=ROOT, check=False).returncode)


def _load(path: Path) -> "Experiment":
    from workflow.experiment.gate import admit_file

    return admit_file(path, root=ROOT).experiment


def _report_differences(path: Path, lines: list[str]) -> bool:
    print(*(f"archive: {line}\n" for line in lines), sep="", end="")
    outcome = f"{len(lines)} files differ, are missing or are extra" if lines else "every file is as it is listed"
    print(f"archive: {path}: {outcome}")
    return bool(lines)


def _document(given: argparse.Namespace) -> None:
    """Write the generated parts of the documentation anew."""
    from workflow.operations.document import update_documents

    print(*(f"written: {name}" for name in update_documents(ROOT)), sep="\n")


COMMANDS = {
    "validate": (_validate, "CONFIG"),
    "estimate": (_estimate, "CONFIG"),
    "status": (_status, "CONFIG"),
    "partial": (_partial, "CONFIG"),
    "outcome": (_outcome, "CONFIG"),
    "retrain": (_retrain, "CONFIG"),
    "verify": (_verify, "CONFIG_OR_ARCHIVE"),
    "archive": (_archive, "CONFIG"),
    "manifest": (_manifest, "FOLDER"),
    "restamp": (_restamp, "CONFIG"),
    "check": (_check, ""),
    "document": (_document, ""),
}
"""What each command runs, and the path that it is given."""
_CORES = {"default": "all", "help": "cores (default: all)"}
_SEED = {"type": int, "help": "of the sample; without one it is drawn, and reported"}
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "estimate": {
        "cores": {"type": int, "default": CORES, "help": f"that a run would have (default: {CORES})"},
        "seconds": {"type": float, "default": 40.0, "help": "after which no further job is timed (default: 40)"},
    },
    "retrain": {"cores": _CORES},
    "verify": {"sample": {"type": int, "help": "how many runs (default: 10)"}, "seed": _SEED, "cores": _CORES},
    "archive": {"report": {"action": "store_true", "help": "Snakemake's report too"}},
    "manifest": {"check": {"action": "store_true", "help": "which files differ, are missing or are extra"}},
    "restamp": {
        "sample": {"type": int, "default": 10, "help": "how many records at least (default: 10)"},
        "seed": _SEED,
        "cores": _CORES,
        "old": {"type": Path, "help": "a source tree of the code that computed the records"},
    },
    "check": {kind: {"metavar": "NAME", "help": f"the {kind} whose file is checked"} for kind in SUITES},
}

if __name__ == "__main__":
    sys.exit(main())
