"""Manifests and archives: `python -m workflow.archive pack config/default.yaml`.

write FOLDER      list the files of a folder, such as results/reference/default, in its manifest
check FOLDER      say which of its files differ, are missing or are extra
pack CONFIG       put config, lock file and manifest beside the results (--report: Snakemake's report too), and all
                  into results/<experiment>.zip
verify ARCHIVE    check the checksums of a zip, then make its tables and a sample of its runs again (--sample, --seed,
                  --cores)
"""

import argparse
import sys
import tempfile
from pathlib import Path

from records.log import reason
from workflow.archive import manifest, packing
from workflow.experiment.experiment import Experiment
from workflow.experiment.experiment import complete as completed
from workflow.experiment.reading import read
from workflow.jobs.process import limit_threads

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Read the command line; exit 1 if something differs."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow.archive", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["write", "check", "pack", "verify"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--cores", default="all")
    given = parser.parse_args()
    try:
        return {"write": _write, "check": _check, "pack": _pack, "verify": _verify}[given.action](given)
    except KeyboardInterrupt:
        print("archive: stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"archive: {reason(error)}", file=sys.stderr)
        return 1


def _write(given: argparse.Namespace) -> int:
    if not given.path.is_dir():
        raise ValueError(f"expected a folder of results; came {given.path}")
    print(f"archive: {manifest.write(given.path)}: {len(manifest.list_files(given.path))} files")
    return 0


def _check(given: argparse.Namespace) -> int:
    return _report(given.path, manifest.check(given.path))


def _pack(given: argparse.Namespace) -> int:
    experiment = Experiment(completed(read(given.path), root=ROOT), root=ROOT)
    if given.report:
        packing.write_report(experiment, given.path)
    folder = packing.add_metadata(experiment)
    archive = packing.pack(folder, folder.with_name(f"{folder.name}.zip"))
    print(f"archive: {archive.absolute()}: {len(manifest.list_files(folder))} files, {archive.stat().st_size} bytes")
    return 0


def _verify(given: argparse.Namespace) -> int:
    if (code := _report(given.path, packing.check(given.path))) != 0:
        return code
    limit_threads(1, kernel="reference")  # as in workflow/verification/__main__.py
    from workflow.verification.report import verify_config

    with tempfile.TemporaryDirectory(prefix="lagbench-archive-") as folder:
        config = packing.unpack(given.path, Path(folder)) / "config.yaml"
        how = {"size": given.sample, "seed": given.seed, "cores": given.cores}
        return 0 if verify_config(config, **how, root=ROOT) else 1


def _report(path: Path, lines: list[str]) -> int:
    for line in lines:
        print(f"archive: {line}")
    outcome = f"{len(lines)} files differ, are missing or are extra" if lines else "every file is as it is listed"
    print(f"archive: {path}: {outcome}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
