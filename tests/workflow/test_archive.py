"""A manifest finds every change of a file, and an archive is the same bytes from the same files."""

import csv
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from workflow.__main__ import main
from workflow.archive import manifest, packing

ROOT = Path(__file__).resolve().parents[2]
RUNS = [
    {
        "run": "a",
        "commit": "c0",
        "dirty": "False",
        "python": "3.11",
        "versions.torch": "2.13.0+cpu",
        "started": "2026-11-25T1",
    },
    {
        "run": "b",
        "commit": "c1",
        "dirty": "True",
        "python": "3.11",
        "versions.torch": "2.14.0",
        "started": "2026-11-26T1",
    },
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The results of a small experiment, with its manifest."""
    root = tmp_path / "tiny"
    for name in ("figures/a.png", "runs/cpu/seeds=0.json", "config.yaml", "summary.csv", "requirements.lock"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"this is {name}\n")
    for name in ("logs/x.log", "checkpoints/key/last", "partial/summary.csv", "kernel.compiled", ".summary.csv.17"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("not a result")
    with (root / "provenance.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, RUNS[0])
        writer.writeheader()
        writer.writerows(RUNS)
    manifest.write(root)
    return root


def verify(archive: Path) -> int:
    return main(["verify", str(archive)])


def graph(folder: Path) -> dict[str, dict]:
    return {entity["@id"]: entity for entity in json.loads((folder / manifest.NAME).read_text())["@graph"]}


def test_every_file_is_listed_with_what_computed_it(folder):
    entities = graph(folder)
    files = [name for name, entity in entities.items() if entity["@type"] == "File"]
    assert files == [
        "config.yaml",
        "figures/a.png",
        "provenance.csv",
        "requirements.lock",
        "runs/cpu/seeds=0.json",
        "summary.csv",
    ]
    assert [part["@id"] for part in entities["./"]["hasPart"]] == files
    assert entities[manifest.NAME]["about"] == {"@id": "./"}
    assert entities["./"]["datePublished"] == "2026-11-26"
    action = entities["#training"]
    tools = [entities[tool["@id"]] for tool in action["instrument"]]
    assert {(tool["name"], tool["softwareVersion"]) for tool in tools} == {
        ("lagbench", "c0"),
        ("lagbench", "c1 with changes that are not committed"),
        ("python", "3.11"),
        ("torch", "2.13.0+cpu"),
        ("torch", "2.14.0"),
    }
    referred = [part["@id"] for kind in ("object", "result", "instrument") for part in action[kind]]
    assert set(referred) <= set(entities)
    assert len(entities) == len(json.loads((folder / manifest.NAME).read_text())["@graph"])


def test_changed_missing_and_extra_files_are_named(folder):
    assert manifest.check(folder) == []
    (folder / "summary.csv").write_text("this is summary.csv!\n"[:-2] + "\n")
    assert manifest.check(folder) == []
    (folder / "summary.csv").write_text("this is Summary.csv\n")
    (folder / "figures/a.png").unlink()
    (folder / "more.csv").touch()
    assert manifest.check(folder) == ["differs: summary.csv", "extra: more.csv", "missing: figures/a.png"]


def test_equal_files_give_equal_manifests_and_archives(folder, tmp_path):
    other = tmp_path / "elsewhere" / "tiny"
    shutil.copytree(folder, other, copy_function=shutil.copyfile)
    first, second = (packing.pack(path, path.with_suffix(".zip")).read_bytes() for path in (folder, other))
    assert first == second
    before = (folder / manifest.NAME).read_bytes()
    assert manifest.write(other) == 6
    assert (other / manifest.NAME).read_bytes() == before
    assert packing.check(folder.with_suffix(".zip")) == []
    with zipfile.ZipFile(folder.with_suffix(".zip")) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"tiny"}
        assert not any("log" in name or "checkpoint" in name for name in archive.namelist())


def repacked(archive: Path, change: dict[str, bytes | None]) -> Path:
    """Write a copy of an archive with some members changed, added or left out."""
    target = archive.with_name("changed.zip")
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w") as out:
        members = {name: source.read(name) for name in source.namelist()} | change
        for name, content in members.items():
            if content is not None:
                out.writestr(name, content)
    return target


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"tiny/summary.csv": b"this is Summary.csv\n"}, ["differs: tiny/summary.csv"]),
        ({"tiny/summary.csv": b"short"}, ["differs: tiny/summary.csv"]),
        ({"tiny/figures/a.png": None}, ["missing: tiny/figures/a.png"]),
        ({"tiny/x": b""}, ["extra: tiny/x"]),
    ],
)
def test_changes_of_an_archive_are_named(folder, change, lines):
    archive = repacked(packing.pack(folder, folder.with_suffix(".zip")), change)
    assert packing.check(archive) == lines


def test_what_is_verified_is_unpacked_and_nothing_else(folder, tmp_path):
    kept = {"baselines/cpu/rnn.provenance.json", "measurements/cpu/x.provenance.json", "statistics.csv"}
    for name in (*kept, "baselines/cpu/rnn.json", "partial/summary.csv", "runs/cpu/seeds=0.provenance.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    manifest.write(folder)
    unpacked = packing.unpack(packing.pack(folder, folder.with_suffix(".zip")), tmp_path / "unpacked")
    names = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert names == kept | {"config.yaml", "summary.csv", "provenance.csv"}


def manifest_of(*names: str) -> bytes:
    entities = [{"@id": name, "@type": "File", "contentSize": "0", "sha256": ""} for name in names]
    return json.dumps({"@graph": entities}).encode()


NO_MANIFESTS = [b"", b"[]", b"{}", b'{"@graph": [{"@type": "File"}]}', b"[" * 100_000, b"\xff", manifest_of("a", "a")]
OUTSIDE = ["../../etc/passwd", "/etc/x", "a\\..\\b", "a//b", "a/./b", "a\nb"]


def refuse(archive: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Let an archive be verified, which must end with a single line, and return it."""
    assert verify(archive) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return line


@pytest.mark.parametrize("text", [*NO_MANIFESTS, *map(manifest_of, OUTSIDE)])
def test_a_broken_or_malicious_manifest_is_refused_in_one_line(folder, text, capsys):
    refuse(repacked(packing.pack(folder, folder.with_suffix(".zip")), {f"tiny/{manifest.NAME}": text}), capsys)


def member(name: str, *, mode: int = 0o100644, times: int = 1) -> Callable[[zipfile.ZipFile], None]:
    def write(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        for _ in range(times):
            archive.writestr(info, "../../etc/passwd")

    return write


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("tiny/summary.csv", bytes(80 << 20), zipfile.ZIP_DEFLATED)


ATTACKS = {
    "a bomb": (bomb, "a zip that unpacks to at most 32 GiB, and 100 times its size; it would be 838"),
    "a name above": (member("tiny/../../out"), "names below its folder"),
    "a name from the root": (member("/out"), "names below its folder"),
    "a name of Windows": (member("tiny\\..\\out"), "names below its folder"),
    "a folder": (member("tiny/x/"), "names below its folder"),
    "a name twice": (member("tiny/x", times=2), "every name once"),
    "a symbolic link": (member("tiny/x", mode=0o120777), "regular files"),
    "a device": (member("tiny/x", mode=0o060644), "regular files"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_before_anything_is_unpacked(folder, attack, capsys, monkeypatch):
    write, reason = ATTACKS[attack]
    archive = repacked(packing.pack(folder, folder.with_suffix(".zip")), {"tiny/summary.csv": None})
    with zipfile.ZipFile(archive, "a") as target:
        write(target)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("its contents were read"))
    assert f"expected {reason}" in refuse(archive, capsys)


def test_a_declared_size_beyond_the_limit_is_refused(folder, monkeypatch, capsys):
    monkeypatch.setattr(packing, "UNPACKED_LIMIT", 10)
    refuse(packing.pack(folder, folder.with_suffix(".zip")), capsys)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_refused_in_one_line(tmp_path, content, capsys):
    (tmp_path / "a.zip").write_bytes(content)
    refuse(tmp_path / "a.zip", capsys)


def test_an_experiment_without_results_is_refused_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["archive", str(ROOT / "config/smoke.yaml")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("archive: missing: results/smoke/runs/")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "results/reference").glob(f"*/{manifest.NAME}")), ids=lambda p: p.parent.name
)
def test_published_files_are_those_of_their_manifest(path):
    mend = f"python -m workflow manifest {path.parent.relative_to(ROOT)}"
    assert manifest.check(path.parent) == [], f"if they are meant to have changed: {mend}"
