"""A job tells why it failed, and the workflow lists it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from records.log import describe_error, log_errors, log_line
from records.paths import log_path
from records.writing import write_json
from tests.settings import TINY, TINY_RUNS
from tests.workflow.conftest import Tree
from workflow.jobs.resources import training_need
from workflow.operations.failures import NO_REASON, explain_end, list_failures, read_ends

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


def test_failures_are_listed_once_each_with_their_reason(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    requested = {
        "results/x/runs/cpu/a/seeds=0.json": "Traceback\nerror: no such task\n",
        "results/x/runs/cpu/b/seeds=0.json": "update 3/9\n",
        "results/x/runs/cpu/done/seeds=0.json": "error: of an attempt before\n",
        "results/x/runs/cpu/old/seeds=0.json": "error: of a run before\n",
        "results/x/figures/f.pdf": "error: no data\n",
        "results/x/figures/f.svg": "error: no data\n",
    }
    for path, text in requested.items():
        log = Path(log_path(path))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
    os.utime(log_path("results/x/runs/cpu/old/seeds=0.json"), (1, 1))
    done = Path("results/x/runs/cpu/done/seeds=0.json")
    done.parent.mkdir(parents=True)
    done.touch()
    unwritten = "results/x/runs/cpu/unwritten.json"
    ends = {log_path(unwritten): 1, log_path("results/x/runs/cpu/done/seeds=0.json"): 137}
    paths = [*requested, "results/x/runs/cpu/never_began.json", unwritten]
    output = list_failures(paths, since=1000, ends=ends, requests={})
    assert output == [
        "failed: results/x/runs/cpu/a/seeds=0.json: no such task (log: results/x/logs/cpu/a/seeds=0.log)",
        f"failed: results/x/runs/cpu/b/seeds=0.json: {NO_REASON}; last line: update 3/9 "
        "(log: results/x/logs/cpu/b/seeds=0.log)",
        "failed: results/x/figures/f.pdf: no data (log: results/x/logs/figures/f.log)",
        "failed: results/x/runs/cpu/unwritten.json: ended with status 1 (log: results/x/logs/cpu/unwritten.log)",
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
    ("last", "end", "line"),
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
        ("update 3/9", "OUT_OF_MEMORY", f"out of memory, as Slurm says {FIT}"),
        ("update 3/9", "TIMEOUT", "killed by Slurm at its time limit; last line: update 3/9"),
        ("", "CANCELLED", "cancelled in Slurm"),
        ("error: of an attempt before", "NODE_FAIL", "its node failed; last line: of an attempt before"),
        ("error: no such task", "FAILED", "no such task"),
        ("update 3/9", "FAILED", f"{NO_REASON}; last line: update 3/9"),
    ],
)
def test_end_of_a_job_is_explained(last, end, line):
    output = explain_end(last, end=end, need=training_need(SETTINGS))
    assert (
        output == line if FIT not in line else output.startswith(line) and output.endswith(last.removeprefix("error: "))
    )


def test_ends_are_read_from_snakemake_s_log(tmp_path):
    log = tmp_path / "snakemake.log"
    log.write_text(
        'RuleException:\nCalledProcessError in file "/x/train.smk", line 34:\n'
        "Command 'set -euo pipefail;  python --settings '{\"a\":1}' 2> results/x/logs/a/seeds=0.log' "
        "returned non-zero exit status 137.\n"
        "Command 'set -euo pipefail;  python 2> results/x/logs/b/seeds=0.log' died with <Signals.SIGTERM: 15>.\n"
        "Command 'echo 2> results/x/logs/c.log; exit 3' returned non-zero exit status 3.\n"
    )
    assert read_ends([str(log)]) == {"results/x/logs/a/seeds=0.log": 137, "results/x/logs/b/seeds=0.log": 143}


def test_ends_are_read_from_snakemake_s_log_of_a_cluster(tmp_path):
    log = tmp_path / "snakemake.log"
    output = (
        "Error in rule train:\n    message: SLURM-job '{}' failed{} SLURM status is: '{}'. Detailed failure reason "
        "unavailable (status command is not 'sacct').For further error details see the cluster/cloud log.\n"
        "    jobid: 2\n    output: results/x/{}.json, results/x/{}.provenance.json\n"
        "    log: results/x/logs/{}.log, {}/{}.log (check log file(s) for error details)\n"
    )
    ends = [(5, ",", "TIMEOUT", "a"), (6, ",", "OUT_OF_MEMORY", "b"), (7, ",", "CANCELLED", "a")]
    ends += [(8, " due to a node failure,", "NODE_FAIL", "c"), (9, ",", "FAILED", "d"), (10, ",", "FAILED", "e")]
    slurm = tmp_path / "of Slurm"
    slurm.mkdir()
    (slurm / "d.log").write_text("slurmstepd-c1: error: Detected 1 oom-kill event(s) in StepId=6.0.\n")
    log.write_text("".join(output.format(job, why, state, n, n, n, slurm, n) for job, why, state, n in ends))
    assert read_ends([str(log)]) == {
        "results/x/logs/a.log": "CANCELLED",
        "results/x/logs/b.log": "OUT_OF_MEMORY",
        "results/x/logs/c.log": "NODE_FAIL",
        "results/x/logs/d.log": "OUT_OF_MEMORY",  # of a step of the job
        "results/x/logs/e.log": "FAILED",
    }


@pytest.mark.slow
def test_killed_job_and_one_without_memory_are_told_apart_and_leave_the_others(fresh: Tree):
    limit = 2_500_000_000  # bytes of address space: enough for torch, not for sequences of two million steps
    fresh.configure(tasks={"adding": {"lags": [2, 3, 1_000_000]}}, training={"validation_sequences": 64}, figures=[])
    fresh.edit(
        "workflow/scripts/job.py",
        "with log_errors():",
        "import os, resource\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))\n"
        "if '/copy/' in ' '.join(sys.argv):\n"
        "    os.kill(os.getpid(), 9)\n"
        "with log_errors():",
    )
    output = fresh.snakemake("--cores", "2", "--quiet", "host", "rules", check=False)
    listed = {
        line.split(": ")[1]: line.split(": ", 2)[2] for line in output.splitlines() if line.startswith("failed: ")
    }
    runs = "results/tiny/runs/cpu"
    killed = listed.pop(f"{runs}/copy/lag=11/rnn/full/seeds=0-2.json")
    assert re.match(r"killed by SIGKILL, as a system does that is out of memory \(about \d+ MB would fit; ", killed)
    long = [f"{runs}/adding/lag=1000000/{group}/seeds=0-2.json" for group in ("rnn/full", "lstm_peephole/tbptt")]
    assert sorted(listed) == sorted(long)
    for path in long:
        reports = re.match(r"out of memory \(about (\d+) MB would fit; ", listed[path])
        assert reports
        assert int(reports[1]) > limit / 1e6
    there = {path.relative_to(fresh.root / runs).as_posix() for path in (fresh.root / runs).rglob("seeds=0-2.json")}
    assert there == {f"{run}.json" for run in TINY_RUNS if not run.startswith("copy")}


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
