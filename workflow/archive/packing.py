"""One zip of an experiment, the same bytes from the same files, and its check on any machine."""

import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import yaml
from repro_zipfile import ReproducibleZipFile

from workflow.archive import manifest
from workflow.experiment.experiment import Experiment

REPORT = "report.html"
MANIFEST_LIMIT = 1 << 26
"""Bytes of a manifest that is read: 64 MiB, several times that of 10 000 runs."""
UNPACKED_LIMIT = 1 << 35
"""Bytes that an archive may unpack to: 32 GiB, several times the records of 10 000 runs."""
RATIO_LIMIT = 100
"""Unpacked over packed bytes of what is larger than a manifest may be: ours is below 10, of zeros it is 1000."""
REGULAR = (0, 0o10)
"""File types, in the mode of a zip's member: unknown, or a regular file."""


def add_metadata(experiment: Experiment) -> Path:
    """Put the completed config and the lock file next to an experiment's results; return their folder."""
    folder = Path(experiment.place.results)
    if not (folder / "summary.csv").is_file():
        raise ValueError(f"expected the tables of a finished run in {folder}; there is no summary.csv")
    text = yaml.safe_dump(experiment.given, sort_keys=False, allow_unicode=True)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    shutil.copyfile(experiment.root / "requirements.lock", folder / "requirements.lock")
    return folder


def write_report(experiment: Experiment, config: Path) -> None:
    """Write Snakemake's report of a finished run next to its results, unless a newer one is there."""
    folder = Path(experiment.place.results)
    report, tables = folder / REPORT, [*folder.glob("*.csv"), *folder.glob("figures/*.png")]
    if report.exists() and all(path.stat().st_mtime <= report.stat().st_mtime for path in tables):
        return
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(experiment.root / "Snakefile")]
    command += ["--configfile", str(config), "--report", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise ValueError(f"Snakemake wrote no report: {' '.join(last)}")


def pack(folder: Path, archive: Path) -> Path:
    """Write the files of a folder's manifest, and the manifest, into a zip, which is renamed into place."""
    listed = manifest.read((folder / manifest.NAME).read_text(encoding="utf-8"), where=str(folder / manifest.NAME))
    draft = archive.with_name(f".{archive.name}.draft")
    try:
        with ReproducibleZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target:
            for name in [manifest.NAME, *listed]:
                target.write(folder / name, f"{folder.name}/{name}")
        draft.replace(archive)
    finally:
        draft.unlink(missing_ok=True)
    return archive


def check(archive: Path) -> list[str]:
    """Return one line per file of an archive that differs from its manifest, is missing or is extra."""
    with _open(archive) as source:
        top, listed = _read_manifest(source, archive)
        expected = {f"{top}/{name}": entry for name, entry in listed.items()}
        members = [info for info in source.infolist() if info.filename != f"{top}/{manifest.NAME}"]
        existing = {info.filename: _read_entry(source, info, expected=expected.get(info.filename)) for info in members}
    return manifest.find_differences(expected, existing)


def unpack(archive: Path, target: Path) -> Path:
    """Unpack what is needed to recompute tables and runs: config, tables and provenance; return their folder."""
    with _open(archive) as source:
        top, listed = _read_manifest(source, archive)
        for name in ("config.yaml", "summary.csv", "provenance.csv"):
            if name not in listed:
                raise ValueError(f"{archive}: expected {name} in it; there is none")
        for name in listed:
            of_job = name.startswith(("baselines/", "measurements/")) and name.endswith(".provenance.json")
            if name == "config.yaml" or of_job or (name.endswith(".csv") and "/" not in name):
                source.extract(f"{top}/{name}", target)
    return target / top


def _open(archive: Path) -> zipfile.ZipFile:
    """Open an archive whose index is harmless: nothing of its contents has been read by then."""
    try:
        source = zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive}: expected a zip; came something else ({error})") from None
    names, size = set(), 0
    for info in source.infolist():
        what = repr(info.filename[:100])
        if not manifest.is_inside(info.filename):
            raise ValueError(f"{archive}: expected names below its folder; came {what}")
        if info.filename in names:
            raise ValueError(f"{archive}: expected every name once; came {what} twice")
        if info.external_attr >> 28 not in REGULAR or info.flag_bits & 1:
            raise ValueError(f"{archive}: expected regular files; {what} is a link, a device or encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{archive}: expected deflated files; {what} is compressed otherwise")
        names.add(info.filename)
        size += info.file_size
    packed = archive.stat().st_size
    if size > UNPACKED_LIMIT or size > max(MANIFEST_LIMIT, RATIO_LIMIT * packed):
        limits = f"at most {UNPACKED_LIMIT >> 30} GiB, and {RATIO_LIMIT} times its size"
        raise ValueError(f"{archive}: expected a zip that unpacks to {limits}; it would be {size} bytes of {packed}")
    return source


def _read_manifest(source: zipfile.ZipFile, archive: Path) -> tuple[str, dict[str, manifest.Entry]]:
    """Return the one folder of an archive and what its manifest lists."""
    names = [name for name in source.namelist() if name.endswith(f"/{manifest.NAME}") and name.count("/") == 1]
    if len(names) != 1:
        raise ValueError(f"{archive}: expected one folder with a {manifest.NAME}; came {len(names)}")
    if source.getinfo(names[0]).file_size > MANIFEST_LIMIT:
        raise ValueError(f"{archive}: expected a manifest of at most {MANIFEST_LIMIT} bytes")
    try:
        text = source.read(names[0]).decode()
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{archive}: its {manifest.NAME} is broken ({error})") from None
    return names[0].partition("/")[0], manifest.read(text, where=f"{archive}/{names[0]}")


def _read_entry(
    source: zipfile.ZipFile, info: zipfile.ZipInfo, *, expected: manifest.Entry | None
) -> manifest.Entry | None:
    """Return size and checksum of a member; one of another size than expected is not read."""
    if expected is None or info.file_size != expected.size:
        return None
    try:
        with source.open(info) as file:
            return manifest.compute_entry(file)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
        return None
