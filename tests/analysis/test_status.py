"""The status of an experiment: what is done, runs, waits, failed and why, and what is stale."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from records.paths import checkpoint_folder, compute_key
from tests.analysis.experiments import ROOT, runs_of, tiny, write_guesses, write_log, write_runs
from workflow.experiment.experiment import Experiment
from workflow.jobs.requested import Request, requested_records
from workflow.operations.failures import NO_REASON
from workflow.operations.status import FRESH, Status, build_tables, find_status, report_status


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def states(experiment: Experiment) -> list[str]:
    return [find_status(request).state for request in runs_of(experiment)]


def checkpoints_of(request: Request) -> Path:
    return checkpoint_folder(Path(request.path), key=compute_key(request.settings, sources=request.sources))


def own(request: Request, **lock_holder: object) -> Path:
    folder = checkpoints_of(request)
    folder.mkdir(parents=True)
    (folder / "lock").write_text(json.dumps({"host": "elsewhere", "process": 1, "since": "0"} | lock_holder))
    return folder / "lock"


def age(path: Path, *, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_every_job_waits_before_anything_ran() -> None:
    assert states(tiny()) == ["waiting"] * 5


def test_states_are_told_apart_and_stale_and_failed_ones_say_why() -> None:
    experiment = tiny()
    requested = runs_of(experiment)
    write_runs(requested[:2])
    content = json.loads(Path(requested[1].path).read_text())
    content["settings"]["training"]["batch_size"] = 16
    Path(requested[1].path).write_text(json.dumps(content))
    age(write_log(requested[2], "update 1/2\nTraceback\nerror: no space left\n"), seconds=1)
    own(requested[3])
    actual = [find_status(request) for request in requested]
    assert [item.state for item in actual] == ["done", "stale", "failed", "running", "waiting"]
    assert [item.reason for item in actual] == [
        "",
        "training.batch_size is 16, the config asks for 32",
        "no space left",
        "",
        "",
    ]


def test_changed_code_makes_a_record_stale() -> None:
    requested = runs_of(tiny())
    write_runs(requested)
    older = [item._replace(sources="0" * 64) for item in requested[:1]]
    (actual,) = map(find_status, older)
    assert actual.state == "stale"
    assert "the code now is 000000000000" in actual.reason


def test_broken_record_is_stale_and_not_an_error() -> None:
    requested = runs_of(tiny())
    write_runs(requested)
    Path(requested[0].path).write_text('{"settings"')
    Path(requested[1].path).write_text('{"settings": []}')
    assert states(tiny())[:3] == ["stale", "stale", "done"]


@pytest.mark.parametrize(
    ("lock_holder", "seconds", "state"),
    [
        ({}, FRESH - 60, "running"),
        ({}, FRESH + 60, "failed"),
        ({"host": socket.gethostname(), "process": os.getpid()}, 1, "running"),
        ({"host": socket.gethostname(), "process": 2**22 + 1}, 1, "failed"),  # above the largest process number
        ({"process": "none"}, 1, "running"),
    ],
)
def test_a_job_runs_while_its_owner_gives_signs_of_life(lock_holder: dict, seconds: float, state: str) -> None:
    (item, *_) = runs_of(tiny())
    write_log(item, "update 1/2\n")
    age(own(item, **lock_holder), seconds=seconds)
    assert states(tiny())[0] == state


@pytest.mark.parametrize(("seconds", "state"), [(1, "running"), (FRESH + 60, "failed")])
def test_without_an_owner_a_log_that_grows_is_a_sign_of_life(seconds: float, state: str) -> None:
    (item, *_) = runs_of(tiny())
    age(write_log(item, "update 1/2\n"), seconds=seconds)
    actual = find_status(item)
    assert actual.state == state
    assert actual.reason == ("" if state == "running" else f"{NO_REASON}; last line: update 1/2")


def test_a_failed_job_with_a_checkpoint_says_that_it_goes_on_from_there() -> None:
    (item, *_) = runs_of(tiny())
    write_log(item, "error: stopped by SIGTERM after update 1 of 2\n")
    folder = checkpoints_of(item)
    folder.mkdir(parents=True)
    (folder / "last.checkpoint").touch()
    actual = find_status(item)
    assert actual.reason == "stopped by SIGTERM after update 1 of 2; the next run goes on from its checkpoint"


def test_there_is_a_table_per_model_of_tasks_and_lags_in_the_order_of_the_config() -> None:
    experiment = tiny(seeds_per_job=2)
    requested = runs_of(experiment)
    write_runs(requested[:3])
    actual = [find_status(request) for request in requested]
    computed = build_tables(actual, name=experiment.restore_model, labels=experiment.labels)
    assert list(computed) == ["rnn", "lstm_peephole"]
    table = computed["rnn"]
    assert list(table.index) == [("adding", "full"), ("copy", "full")]
    assert list(table.columns) == [2, 3, 11]
    assert table.loc[("adding", "full"), 11] == ""
    assert table.loc[("copy", "full"), 11] == "2 waiting"
    cells = [state for item in computed.values() for state in item.to_numpy().ravel() if state]
    assert sorted(cells) == ["1 done, 1 waiting", "2 done", "2 waiting", "2 waiting", "2 waiting"]


def test_gradients_stand_in_the_order_of_the_config_whatever_their_names() -> None:
    labels = ["tbptt_1", "tbptt_2", "tbptt_10", "a"]
    grid = [{"devices": ["cpu"], "tasks": ["copy", "adding"], "models": ["rnn"], "gradients": sorted(labels)}]
    experiment = tiny(grid=grid, gradients={label: {"paths": "all"} for label in labels})
    actual = [find_status(request) for request in runs_of(experiment)]
    (table,) = build_tables(actual, name=experiment.restore_model, labels=experiment.labels).values()
    assert list(table.index) == [(task, label) for task in ("adding", "copy") for label in labels]


def test_sizes_that_a_search_draws_are_listed_under_their_model() -> None:
    search = {"hidden_size": {"draws": 3, "from": 2, "to": 9}, "learning_rate": {"draws": 2, "from": 0.01, "to": 0.1}}
    experiment = tiny(search=search | {"seed": 0, "reference": "rnn"})
    actual = [find_status(request) for request in runs_of(experiment)]
    computed = build_tables(actual, name=experiment.restore_model, labels=experiment.labels)
    assert list(computed) == ["rnn", "lstm_peephole"]
    assert computed["rnn"].loc[("copy", "full"), 11] == "3 waiting"


def test_report_counts_and_lists_each_failure_once_with_its_log() -> None:
    experiment = tiny(tables=["baselines"])
    write_guesses(experiment)
    requested = requested_records(experiment)
    actual = [Status(requested[0], "failed", "no space left"), *(Status(item, "waiting") for item in requested[1:5])]
    actual += [find_status(request) for request in requested[5:]]
    lines = list(report_status(actual, experiment=experiment))
    assert lines[0].startswith("runs: 5: 4 waiting, 1 failed")
    assert lines[1] == "baselines: 5: 5 done"
    log = requested[0].path.replace("/runs/", "/logs/").replace(".json", ".log")
    assert [line for line in lines if "failed: " in line] == [
        f"failed: {requested[0].path}: no space left (log: {log})"
    ]


def test_many_failures_are_not_all_listed() -> None:
    experiment = tiny(seeds=list(range(30)), seeds_per_job=1)
    actual = [Status(item, "failed", "no space left") for item in runs_of(experiment)]
    lines = [line for line in report_status(actual, experiment=experiment) if line.startswith("failed: ")]
    assert len(lines) == 21
    assert lines[-1] == f"failed: and {len(actual) - 20} more"


def call(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workflow", "status", *words]
    place = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=place, capture_output=True, text=True, timeout=120, check=False)


def test_command_tells_of_the_configuration_that_it_is_given() -> None:
    done = call(str(ROOT / "config/smoke.yaml"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("runs: 16: 16 waiting")


@pytest.mark.parametrize(
    ("text", "says"), [("seeds: [-1]\n", "config: seeds[0]: expected"), (None, "config: no file bad.yaml; there are: ")]
)
def test_bad_configuration_is_one_line(text: str | None, says: str) -> None:
    if text:
        Path("bad.yaml").write_text(text)
    done = call("bad.yaml")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
