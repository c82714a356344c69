"""A job tells why it failed, and the workflow lists it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workflow.runs.failures import NO_REASON, failures
from workflow.runs.log import reason, say, told
from workflow.runs.paths import log_of
from workflow.runs.writing import write_json

ROOT = Path(__file__).resolve().parents[2]


def test_error_ends_the_log_with_traceback_and_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    log = tmp_path / "job.log"
    with pytest.raises(SystemExit) as ended, told(str(log)):
        raise ValueError("lag 3:\nexpected 5 or more")
    assert ended.value.code == 1
    text = log.read_text()
    assert text.startswith("Traceback")
    assert text.splitlines()[-1] == "error: lag 3: expected 5 or more"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("bad lag"), "bad lag"),
        (ValueError(), "ValueError"),
        (KeyError("lag"), "KeyError: 'lag'"),
        (MemoryError(), "MemoryError"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
    ],
)
def test_reason_is_one_line(error, line):
    assert reason(error) == line


def test_failures_are_listed_once_each_with_their_reason(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = {
        "results/x/runs/cpu/a/seeds=0.json": "Traceback\nerror: no such task\n",
        "results/x/runs/cpu/b/seeds=0.json": "update 3/9\n",
        "results/x/runs/cpu/done/seeds=0.json": "error: of an attempt before\n",
        "results/x/runs/cpu/old/seeds=0.json": "error: of a run before\n",
        "results/x/figures/f.pdf": "error: no data\n",
        "results/x/figures/f.svg": "error: no data\n",
    }
    for path, text in wanted.items():
        log = Path(log_of(path))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
    os.utime(log_of("results/x/runs/cpu/old/seeds=0.json"), (1, 1))
    done = Path("results/x/runs/cpu/done/seeds=0.json")
    done.parent.mkdir(parents=True)
    done.touch()
    assert failures([*wanted, "results/x/runs/cpu/never_began.json"], since=1000) == [
        "failed: results/x/runs/cpu/a/seeds=0.json: no such task (log: results/x/logs/cpu/a/seeds=0.log)",
        f"failed: results/x/runs/cpu/b/seeds=0.json: {NO_REASON}; last line: update 3/9 "
        "(log: results/x/logs/cpu/b/seeds=0.log)",
        "failed: results/x/figures/f.pdf: no data (log: results/x/logs/figures/f.log)",
    ]


def test_record_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "run.json"
    write_json(path, {"a": 1})
    assert path.read_text() == '{"a":1}\n'
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"a": float("nan")})
    assert path.read_text() == '{"a":1}\n'
    assert [file.name for file in path.parent.iterdir()] == ["run.json"]


@pytest.mark.parametrize(("alone", "lines"), [("", []), ("yes", ["update 1/2"])])
def test_progress_goes_to_the_terminal_only_when_the_job_runs_alone(capsys, monkeypatch, alone, lines):
    monkeypatch.setenv("LAGBENCH_TERMINAL", alone)
    say("update 1/2")
    printed = capsys.readouterr()
    assert printed.err == "update 1/2\n"
    assert printed.out.splitlines() == lines


def test_training_job_with_bad_settings_says_so(tmp_path):
    command = [
        sys.executable,
        ROOT / "workflow/scripts/train.py",
        "--settings",
        "{",
        "--sources",
        "x",
        "--threads",
        "1",
    ]
    done = subprocess.run(
        [*command, "--run", tmp_path / "r.json", "--provenance", tmp_path / "p.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: JSONDecodeError: ")
    assert list(tmp_path.iterdir()) == []
