"""Provenance describes what made a run, and nothing where it does not know: source tree, plug-ins, CPU, durations."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from training import provenance

ROOT = Path(__file__).resolve().parents[2]
CPUINFO = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC

processor\t: 1
vendor_id\t: Other
"""


def collect(root: Path = ROOT, **changes: Any) -> dict[str, Any]:
    given = {"started": time.monotonic(), "settings": {"seeds": [0]}, "sources": "digest"} | changes
    return provenance.collect_table(root=root, **given)


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a source tree of one file, and an ignored folder."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/adding.py").write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("ignored/\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "First")
    return tmp_path


def test_the_type_of_cpu_is_vendor_family_model_and_vector_instructions(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda path, encoding: CPUINFO)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert provenance.processor_type() == "AuthenticAMD 26 2 AVX512"
    assert provenance.processor() == "AMD EPYC"
    monkeypatch.setattr(Path, "read_text", lambda path, encoding: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert provenance.processor_type() == "arm64 AVX512"


def test_a_table_has_the_provenance_of_a_run():
    record, other = collect(), collect(settings={"seeds": [1]})
    assert (record["kernel"], record["sources"], record["threads"], record["gpu"]) == ("reference", "digest", 1, None)
    assert record["settings"] != other["settings"]
    assert record["versions"]["torch"] == torch.__version__


def test_a_source_tree_has_the_commit_of_its_own_repository_and_of_no_other(repository: Path):
    record = collect(repository)
    assert len(record["commit"]) == 40
    assert record["dirty"] is False
    (repository / "tasks/copy.py").write_text("x = 1\n")
    assert collect(repository)["dirty"] is True
    copied = repository / "ignored/lagbench"
    shutil.copytree(repository / "tasks", copied / "tasks")
    assert [collect(copied)[name] for name in ("commit", "dirty")] == [None, None]


def test_a_source_tree_that_git_does_not_track_has_no_commit(repository: Path):
    git(repository, "rm", "-q", "--cached", "tasks/adding.py")
    assert [collect(repository)[name] for name in ("commit", "dirty")] == [None, None]


def test_a_plug_in_folder_has_a_commit_and_a_digest_of_its_own(repository: Path, monkeypatch: pytest.MonkeyPatch):
    outside = repository.with_name("plain")
    (outside / "models").mkdir(parents=True)
    (outside / "models/mine.py").write_text("PATHS = {}\n")
    monkeypatch.setenv("LAGBENCH_PLUGINS", f"{repository}:{outside}")
    plugins = collect()["plugins"]
    tracked, plain = plugins[str(repository)], plugins[str(outside)]
    assert (len(tracked["commit"]), tracked["dirty"]) == (40, False)
    assert (plain["commit"], plain["dirty"]) == (None, None)
    (outside / "models/mine.py").write_text("PATHS = {'cell': {}}\n")
    assert collect()["plugins"][str(outside)]["digest"] != plain["digest"]
    assert collect()["plugins"][str(repository)] == tracked
    monkeypatch.delenv("LAGBENCH_PLUGINS")
    assert collect()["plugins"] == {}


def test_a_clock_that_is_set_back_gives_no_negative_duration(monkeypatch: pytest.MonkeyPatch):
    started = time.monotonic()
    clock = provenance.datetime

    class Earlier(clock):  # type: ignore[valid-type, misc]
        @classmethod
        def now(cls, tz=None):
            return clock.now(tz).replace(year=2001)

    monkeypatch.setattr(provenance, "datetime", Earlier)
    record = collect(started=started)
    assert 0 <= record["wall_seconds"] < 60
    assert record["started"].startswith("2001")


def test_what_machine_code_was_compiled_for_follows_the_environment():
    code = "import models.kernels.cpu; from training.provenance import compiled_for; print(compiled_for())"
    python = [sys.executable, "-c", code]

    def ask(**environment: str) -> str:
        return subprocess.run(
            python, cwd=ROOT, check=True, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **environment}
        ).stdout

    generic = ask(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
    assert generic.startswith("generic ")
    assert ask() != generic
