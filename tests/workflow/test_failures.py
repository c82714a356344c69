"""A job tells why it failed, and the workflow lists it."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from records.log import describe_error, log_errors, log_line
from records.paths import log_path
from records.writing import write_json
from tests.settings import TINY
from workflow.jobs.resources import training_need
from workflow.operations.failures import NO_REASON, End, FailedJobs, explain_end, list_failures, read_end

ROOT = Path(__file__).resolve().parents[2]


def test_error_ends_the_log_with_traceback_and_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    log = tmp_path / "job.log"
    with pytest.raises(SystemExit) as ended, log_errors(str(log)):
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
    assert describe_error(error) == line


def report(path: str, *, message: str | None = None, aux: tuple[str, ...] = ()) -> logging.LogRecord:
    """Return the event of Snakemake's log on a job that failed, which wrote two files."""
    job = {"rule_name": "train", "rule_msg": message, "output": [path, f"{path}.2"], "log": [log_path(path), *aux]}
    return logging.makeLogRecord({"event": LogEvent.JOB_ERROR, **job})


def test_failures_are_listed_once_each_with_their_reason(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logs = {
        "results/x/runs/cpu/a/seeds=0.json": "Traceback\nerror: no such task\nexit status 1\n",
        "results/x/runs/cpu/b/seeds=0.json": "update 3/9\n",
        "results/x/runs/cpu/done/seeds=0.json": "error: of an attempt before\n",
        "results/x/figures/f.pdf": "error: no data\n",
    }
    failed = FailedJobs()
    for path, text in logs.items():
        log = Path(log_path(path))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
        failed.emit(report(path))
        failed.emit(report(path))  # a further attempt
    done = Path("results/x/runs/cpu/done/seeds=0.json")
    done.parent.mkdir(parents=True)
    done.touch()
    failed.emit(report("results/x/runs/cpu/unwritten.json"))
    failed.emit(logging.makeLogRecord({"event": LogEvent.JOB_FINISHED}))
    failed.emit(logging.makeLogRecord({"msg": "no event"}))
    assert list(list_failures(failed.jobs, requests={})) == [
        "failed: results/x/runs/cpu/a/seeds=0.json: no such task (log: results/x/logs/cpu/a/seeds=0.log)",
        f"failed: results/x/runs/cpu/b/seeds=0.json: {NO_REASON}; last line: update 3/9 "
        "(log: results/x/logs/cpu/b/seeds=0.log)",
        "failed: results/x/figures/f.pdf: no data (log: results/x/logs/figures/f.log)",
        f"failed: results/x/runs/cpu/unwritten.json: {NO_REASON} (log: results/x/logs/cpu/unwritten.log)",
    ]


SETTINGS = {
    "device": "cpu",
    "seeds": [0, 1],
    "learning_rates": [0.01],
    "task": {"lag": 10_000, "sequences": 64},
    "model": {"hidden_size": 32},
    "training": TINY["training"],
}
FIT = f"(about {round(training_need(SETTINGS).memory / 1e6)} MB would fit; "


@pytest.mark.parametrize(
    ("last", "status", "line"),
    [
        ("error: MemoryError", 1, f"out of memory {FIT}"),
        ("error: _ArrayMemoryError: Unable to allocate 3.1 GiB for an array", 1, f"out of memory {FIT}"),
        ("error: [enforce fail] DefaultCPUAllocator: can't allocate memory", 1, f"out of memory {FIT}"),
        ("error: OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", 1, f"out of memory {FIT}"),
        ("  what():  std::bad_alloc", 134, f"out of memory {FIT}"),
        ("error: no such task", 1, "no such task"),
        ("update 3/9", 137, f"killed by SIGKILL, as a system does that is out of memory {FIT}"),
        ("", 137, f"killed by SIGKILL, as a system does that is out of memory {FIT}"),
        ("update 3/9", 143, "killed by SIGTERM; last line: update 3/9"),
        ("", 139, "killed by SIGSEGV"),
        ("", 255, "killed by signal 127"),
        ("update 3/9", 124, "stopped at its time limit; last line: update 3/9"),
        ("", 3, "ended with status 3"),
        ("", 0, NO_REASON),
    ],
)
def test_end_of_a_job_is_explained(tmp_path, last, status, line):
    log = tmp_path / "job.log"
    log.write_text(f"update 2/9\n{last}\n" + (f"exit status {status}\n" if status else "") if last or status else "")
    end = read_end(log)
    assert end.status == status
    output = explain_end(end if last else end._replace(line=""), need=training_need(SETTINGS))
    assert (
        output == line if FIT not in line else output.startswith(line) and output.endswith(last.removeprefix("error: "))
    )


@pytest.mark.parametrize(
    ("last", "state", "line"),
    [
        ("update 3/9", "OUT_OF_MEMORY", f"out of memory, as Slurm says {FIT}"),
        ("update 3/9", "TIMEOUT", "killed by Slurm at its time limit; last line: update 3/9"),
        ("", "CANCELLED", "cancelled in Slurm"),
        ("error: of an attempt before", "NODE_FAIL", "its node failed; last line: of an attempt before"),
        ("error: no such task", "FAILED", "no such task"),
        ("update 3/9", "FAILED", f"{NO_REASON}; last line: update 3/9"),
    ],
)
def test_state_that_slurm_gave_a_job_is_explained(last, state, line):
    failed, path = FailedJobs(), "results/x/runs/cpu/a/seeds=0.json"
    message = f"SLURM-job '5' failed, SLURM status is: '{state}'. Detailed failure reason unavailable."
    failed.emit(report(path, message=message, aux=(".snakemake/slurm_logs/5.log",)))
    ((kept, state),) = failed.jobs.values()
    assert kept == path
    assert explain_end(End(last), state=state, need=training_need(SETTINGS)).startswith(line)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=5.0.", "OUT_OF_MEMORY"),
        ("srun: error: node1: task 0: Out Of Memory", "OUT_OF_MEMORY"),
        ("srun: error: node1: task 0: Exited with exit code 1", ""),
    ],
)
def test_a_step_that_ran_out_of_memory_fails_its_job_and_slurm_s_log_tells_why(tmp_path, text, state):
    failed, log = FailedJobs(), tmp_path / "5.log"
    log.write_text(f"{text}\n")
    failed.emit(
        report("results/x/run.json", message="SLURM-job '5' failed, SLURM status is: 'FAILED'.", aux=(str(log),))
    )
    assert list(failed.jobs.values()) == [("results/x/run.json", state)]


def test_record_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "run.json"
    write_json(path, {"a": 1})
    assert path.read_text() == '{"a":1}\n'
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"a": float("nan")})
    assert path.read_text() == '{"a":1}\n'
    assert [file.name for file in path.parent.iterdir()] == ["run.json"]


def test_a_record_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    for name, function in (("fsync", os.fsync), ("replace", os.replace)):
        monkeypatch.setattr(
            os, name, lambda *words, name=name, function=function: (done.append(name), function(*words))
        )
    write_json(tmp_path / "run.json", {"a": 1})
    assert done == ["fsync", "replace"]


@pytest.mark.parametrize(("alone", "lines"), [("", []), ("yes", ["update 1/2"])])
def test_progress_goes_to_the_terminal_only_when_the_job_runs_alone(capsys, monkeypatch, alone, lines):
    monkeypatch.setenv("LAGBENCH_TERMINAL", alone)
    log_line("update 1/2")
    printed = capsys.readouterr()
    assert printed.err == "update 1/2\n"
    assert printed.out.splitlines() == lines


def test_training_job_with_bad_settings_says_so(tmp_path):
    command = [
        sys.executable,
        ROOT / "workflow/scripts/job.py",
        "--entry",
        "training.condition:train_condition",
        "--settings",
        "{",
        "--sources",
        "x",
        "--threads",
        "1",
    ]
    done = subprocess.run(
        [*command, "--record", tmp_path / "r.json", "--provenance", tmp_path / "p.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: JSONDecodeError: ")
    assert list(tmp_path.iterdir()) == []
