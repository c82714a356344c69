"""One zip of an experiment, the same bytes from the same files, and its check on any machine."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

from workflow.archive import manifest
from workflow.experiment.experiment import Experiment

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name
MODE = 0o644 << 16
REPORT = "report.html"
AT_MOST = 1 << 26  # bytes of a manifest that is read: 64 MiB, several times that of 10 000 runs


def complete(experiment: Experiment) -> Path:
    """Put the completed config, the lock file and the manifest beside an experiment's results; return their folder."""
    folder = Path(experiment.place.results)
    if not (folder / "summary.csv").is_file():
        raise ValueError(f"expected the tables of a finished run in {folder}; there is no summary.csv")
    text = yaml.safe_dump(experiment.asked, sort_keys=False, allow_unicode=True)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    shutil.copyfile(experiment.root / "requirements.lock", folder / "requirements.lock")
    manifest.write(folder)
    return folder


def make_report(experiment: Experiment, config: Path) -> None:
    """Write Snakemake's report of a finished run beside its results, unless a newer one is there."""
    folder = Path(experiment.place.results)
    report, tables = folder / REPORT, [*folder.glob("*.csv"), *folder.glob("figures/*.png")]
    if report.exists() and all(path.stat().st_mtime <= report.stat().st_mtime for path in tables):
        return
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(experiment.root / "Snakefile")]
    command += ["--configfile", str(config), "--report", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise ValueError(f"Snakemake made no report: {' '.join(last)}")


def pack(folder: Path, archive: Path) -> Path:
    """Write the files of a folder's manifest, and it, into a zip, times and modes fixed; it is renamed into place."""
    listed = manifest.read((folder / manifest.NAME).read_text(encoding="utf-8"), where=str(folder / manifest.NAME))
    draft = archive.with_name(f".{archive.name}.draft")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target:
            for name in [manifest.NAME, *listed]:
                about = zipfile.ZipInfo(f"{folder.name}/{name}", EPOCH)
                about.compress_type, about.external_attr, about.create_system = zipfile.ZIP_DEFLATED, MODE, 3
                about.file_size = (folder / name).stat().st_size  # more than 2 GiB needs a longer header
                with (folder / name).open("rb") as source, target.open(about, "w") as packed:
                    shutil.copyfileobj(source, packed)
        draft.replace(archive)
    finally:
        draft.unlink(missing_ok=True)
    return archive


def check(archive: Path) -> list[str]:
    """Return one line per file of an archive that differs from its manifest, is missing or is extra."""
    with _opened(archive) as source:
        top, listed = _listed(source, archive)
        there = {info.filename: info for info in source.infolist()}
        if len(there) != len(source.infolist()):
            return ["extra: a name that stands twice"]
        known = {f"{top}/{name}": what for name, what in listed.items()}
        lines = [f"missing: {name}" for name in known if name not in there]
        lines += [f"extra: {name}" for name in there if name not in known and name != f"{top}/{manifest.NAME}"]
        for name in there.keys() & known.keys():
            if not _holds(source, there[name], known[name]):
                lines.append(f"differs: {name}")
    return sorted(lines)


def unpack(archive: Path, target: Path) -> Path:
    """Unpack what is needed to make tables and runs again: config, tables and provenance; return their folder."""
    with _opened(archive) as source:
        top, listed = _listed(source, archive)
        for name in ("config.yaml", "summary.csv", "provenance.csv"):
            if name not in listed:
                raise ValueError(f"{archive}: expected {name} in it; there is none")
        for name in listed:
            of_job = name.startswith(("baselines/", "measurements/")) and name.endswith(".provenance.json")
            if name == "config.yaml" or of_job or (name.endswith(".csv") and "/" not in name):
                source.extract(f"{top}/{name}", target)
    return target / top


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive}: expected a zip; came something else ({error})") from None


def _listed(source: zipfile.ZipFile, archive: Path) -> tuple[str, dict[str, manifest.Listed]]:
    """Return the one folder of an archive and what its manifest lists."""
    names = [name for name in source.namelist() if name.endswith(f"/{manifest.NAME}") and name.count("/") == 1]
    if len(names) != 1 or not manifest.is_inside(names[0]):
        raise ValueError(f"{archive}: expected one folder with a {manifest.NAME}; came {len(names)}")
    if source.getinfo(names[0]).file_size > AT_MOST:
        raise ValueError(f"{archive}: expected a manifest of at most {AT_MOST} bytes")
    try:
        text = source.read(names[0]).decode()
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise ValueError(f"{archive}: its {manifest.NAME} is broken ({error})") from None
    return names[0].partition("/")[0], manifest.read(text, where=f"{archive}/{names[0]}")


def _holds(source: zipfile.ZipFile, info: zipfile.ZipInfo, what: manifest.Listed) -> bool:
    """Say whether a member is what the manifest says; one of another size is not read."""
    if info.file_size != what.size:
        return False
    try:
        with source.open(info) as file:
            return manifest.digest(file) == what  # type: ignore[arg-type]
    except (zipfile.BadZipFile, EOFError, OSError):
        return False
