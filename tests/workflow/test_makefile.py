"""`make setup` sets up once, says in one line what is missing, and forgets an installation that failed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/bash
case "$1 $2" in
  "--version "*) echo "Python {version}" ;;
  "-c import sys; "*) exit {old} ;;
  "-c import ensurepip"*) exit {without_venv} ;;
  "-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  "-m pip") echo "$@" >> pip.calls; exit {pip} ;;
  "-m workflow") if [ "$3" = validate ]; then echo "$4" > gate.call; else shift 2; echo "$@" >> ours.calls; fi ;;
  "-m benchmarks") echo "$@" > bench.call; env > bench.environment ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.lock").write_text("torch==2.13.0\n")
    return tmp_path


def make(folder: Path, *words: str, version="3.13.1", old=0, without_venv=0, pip=0) -> subprocess.CompletedProcess[str]:
    python = folder / "fake-python"
    python.write_text(PYTHON.format(version=version, old=old, without_venv=without_venv, pip=pip))
    python.chmod(0o755)
    command = ["make", "--no-print-directory", *words, f"PYTHON={python}"]
    outside = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE")
    }  # as if typed by a user
    return subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True, timeout=60, check=False)


def test_set_up_happens_once_and_again_when_the_lock_changes(folder):
    assert make(folder, "setup").returncode == 0
    assert make(folder, "setup").returncode == 0
    calls = folder / "pip.calls"
    assert len(calls.read_text().splitlines()) == 1
    (folder / "requirements.lock").write_text("torch==2.14.0\n")
    later = (folder / ".venv/.lagbench-setup").stat().st_mtime + 5
    import os

    os.utime(folder / "requirements.lock", (later, later))
    assert make(folder, "setup").returncode == 0
    assert len(calls.read_text().splitlines()) == 2


def test_failed_installation_leaves_no_stamp_and_is_tried_again(folder):
    assert make(folder, "setup", pip=1).returncode != 0
    assert not (folder / ".venv/.lagbench-setup").exists()
    assert make(folder, "setup").returncode == 0
    assert (folder / ".venv/.lagbench-setup").exists()


@pytest.mark.parametrize(
    ("lack", "line"),
    [
        ({"version": "3.9.2", "old": 1}, "setup: expected Python 3.11 or newer; "),
        ({"without_venv": 1}, "has no venv; on Debian and Ubuntu: apt install python3-venv"),
    ],
)
def test_what_is_missing_is_told_in_one_line(folder, lack, line):
    done = make(folder, "setup", **lack)
    assert done.returncode != 0
    ours = [text for text in done.stderr.splitlines() if not text.startswith("make:")]
    assert len(ours) == 1
    assert line in ours[0]
    assert not (folder / ".venv").exists()


@pytest.fixture
def ready(folder: Path) -> Path:
    (folder / "requirements-bench.txt").write_text("jax==0.10.2\n")
    assert make(folder, "setup").returncode == 0
    return folder


def test_benchmark_installs_its_rivals_once_and_keeps_openblas_from_pretending(ready, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # with it `python -m` would not find our packages
    for _ in range(2):
        assert make(ready, "bench", "THREADS=2", "QUICK=1").returncode == 0
    calls = (ready / "pip.calls").read_text().splitlines()
    assert len([call for call in calls if "requirements-bench.txt" in call]) == 1
    assert (ready / "bench.call").read_text().split() == ["-m", "benchmarks", "--threads", "2", "--quick"]
    environment = (ready / "bench.environment").read_text()
    assert "OPENBLAS_CORETYPE" not in environment
    assert "PYTHONSAFEPATH" not in environment


@pytest.mark.parametrize("has_home", [True, False])
def test_a_user_without_a_home_has_a_cache_folder_in_the_checkout(ready, monkeypatch, has_home):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(ready) if has_home else "/proc/nowhere")
    assert make(ready, "bench").returncode == 0
    environment = (ready / "bench.environment").read_text()
    assert (f"XDG_CACHE_HOME={ready}/.snakemake/cache\n" in environment) == (not has_home)


def test_benchmark_runs_without_jax_and_says_so_in_one_line(ready):
    python = PYTHON.format(version="3.13.1", old=0, without_venv=0, pip=1)
    (ready / ".venv/bin/python").write_text(python)
    done = make(ready, "bench")
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["bench: JAX (requirements-bench.txt) could not be installed"]
    assert (ready / "bench.call").read_text().split() == ["-m", "benchmarks"]
    assert not (ready / ".venv/.lagbench-bench").exists()


def ours(folder: Path, *words: str) -> list[str]:
    """Run make and return the calls of our own modules, and of Snakemake."""
    snakemake = folder / ".venv/bin/snakemake"
    snakemake.write_text('#!/bin/bash\necho snakemake "$@" >> ours.calls\n')
    snakemake.chmod(0o755)
    done = make(folder, *words)
    assert done.returncode == 0, done.stderr
    return (folder / "ours.calls").read_text().splitlines()


def test_archive_is_packed_once_the_run_is_complete(ready):
    (ready / "a.yaml").touch()
    calls = ours(ready, "archive", "CONFIG=a.yaml")
    assert calls[0].startswith("snakemake --cores all ")
    assert calls[-1] == "archive a.yaml --report"


@pytest.mark.parametrize("name", ["`touch canary`.yaml", 'a"; touch canary; ".yaml', "a b'*.yaml"])
def test_configuration_passes_the_gate_first_under_any_name(folder, name):
    done = make(folder, f"CONFIG={name}")
    assert done.returncode != 0
    assert (folder / "gate.call").read_text() == f"{name}\n"
    assert not (folder / "canary").exists()


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["estimate", "CORES=3"], "estimate --cores 3 my own.yaml"),
        (["status"], "status my own.yaml"),
        (["partial"], "partial my own.yaml"),
        (["retrain"], "retrain my own.yaml --cores all"),
        (["verify", "SAMPLE=1", "SEED=5", "CORES=2"], "verify my own.yaml --cores 2 --sample 1 --seed 5"),
        (["verify", "ARCHIVE=x y.zip"], "verify x y.zip --cores all"),
        (["check", "CELL=gru"], "check --cell gru"),
        (["check", "TASK=copy"], "check --task copy"),
    ],
)
def test_commands_are_given_the_configuration_and_their_options(ready, words, call):
    assert ours(ready, *words, "CONFIG=my own.yaml") == [call]


def test_a_folder_at_a_path_with_blanks_is_refused_at_once(folder, tmp_path):
    blank = tmp_path / "my folder"
    blank.mkdir()
    shutil.copy(folder / "Makefile", blank)
    done = make(blank)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "expected a folder whose path has no blanks" in done.stderr


def test_clean_keeps_results(folder):
    kept = folder / "results/default/runs/run.json"
    kept.parent.mkdir(parents=True)
    kept.touch()
    (folder / "tasks/__pycache__").mkdir(parents=True)
    done = make(folder, "clean")
    assert done.returncode == 0
    assert "results/ is kept" in done.stdout
    assert kept.exists()
    assert not (folder / "tasks/__pycache__").exists()


def test_help_names_every_target(folder):
    phony = re.search(r"^\.PHONY: (.*)$", (folder / "Makefile").read_text(), re.M)
    assert phony
    output = make(folder, "help").stdout
    for target in phony[1].split():
        assert f"make {target} " in output
