"""What an experiment will cost: which jobs are timed, how the others lie between them, and how it is told."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from records.condition import Condition
from tests.analysis.experiments import ROOT, runs_of, tiny, write_runs
from tests.analysis.tables import compute_of
from tests.settings import TINY
from workflow.experiment.experiment import Experiment
from workflow.jobs.records import load_records
from workflow.jobs.requested import requested_records
from workflow.operations.calibration import Calibration, Costs, Job, calibrate, chosen, costs_by, interpolate
from workflow.operations.estimate import USUAL_SHARE, amount, estimate, report_rows, shares

PARTS = ("fixed", "sampling", "evaluation", "update", "memory", "parameters", "bytes_per_sequence")
LAGS = {"adding": {"lags": [2, 3, 5, 9]}}


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def jobs_of(experiment: Experiment) -> list[Job]:
    return [Job(item, experiment.restore_model(item.condition)) for item in requested_records(experiment)]


def costs(**changes: float) -> Costs:
    return dict.fromkeys(PARTS, 0.0) | changes


def call(*words: str) -> str:
    command = [sys.executable, "-m", "workflow", "estimate", *words]
    place = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=place, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(jobs: list[Job]) -> list[tuple[str, int, str]]:
    return [(job.condition.task, job.condition.lag, job.condition.model) for job in jobs]


def test_the_ends_of_every_series_are_timed_and_nothing_between() -> None:
    timed = chosen(jobs_of(tiny(tasks=LAGS)))
    ends = {("adding", lag, model) for lag in (2, 9) for model in ("rnn", "lstm_peephole")}
    assert set(names(timed)) == ends | {("copy", 11, "rnn")}
    assert len(timed) == 5


def test_one_of_every_kind_is_timed_first_then_the_largest_of_every_model() -> None:
    timed = chosen(jobs_of(tiny(tasks=LAGS, tables=["baselines"])))
    assert {job.request.kind for job in timed[:2]} == {"run", "baseline"}
    runs = [job for job in timed if job.request.kind == "run"]
    assert {lag for _, lag, _ in names(runs[:3])} == {9, 11}


def test_of_several_gradients_the_second_is_timed_after_all_models() -> None:
    grid = [{"devices": ["cpu"], "tasks": ["adding"], "models": ["rnn", "lstm"], "gradients": ["full", "tbptt"]}]
    timed = chosen(jobs_of(tiny(grid=grid, tasks=LAGS)))
    assert [job.condition.gradient for job in timed] == ["full"] * 4 + ["tbptt"] * 4


def test_drawn_sizes_of_a_search_are_one_series() -> None:
    search = {"hidden_size": {"draws": 4, "from": 2, "to": 40}, "learning_rate": {"draws": 2, "from": 0.01, "to": 0.1}}
    grid = [{"devices": ["cpu"], "tasks": ["copy"], "models": ["rnn"], "gradients": ["full"]}]
    timed = chosen(jobs_of(tiny(grid=grid, search=search | {"seed": 0, "reference": "rnn"})))
    sizes = [job.request.settings["model"]["hidden_size"] for job in timed]
    assert len(sizes) == 2
    assert sizes[0] > 2 * sizes[1]


@pytest.mark.parametrize(("work", "update"), [(10, 1.0), (20, 2.0), (15, 1.5), (5, 0.5), (40, 4.0)])
def test_costs_lie_on_the_line_between_and_in_proportion_beyond(work: float, update: float) -> None:
    registered = {10.0: costs(update=1.0, memory=7.0), 20.0: costs(update=2.0, memory=9.0)}
    actual = interpolate(registered, work=work)
    assert actual["update"] == pytest.approx(update)
    assert 7 <= actual["memory"] <= 9


def test_a_job_of_which_nothing_alike_was_timed_borrows_from_the_most_alike() -> None:
    jobs = {(job.condition.task, job.condition.lag, job.condition.model): job for job in jobs_of(tiny())}
    timed = [(jobs["adding", 2, "rnn"], costs(update=1.0)), (jobs["adding", 3, "lstm_peephole"], costs(update=8.0))]
    tell = costs_by(Calibration(1.0, timed, {}))
    assert tell(jobs["adding", 3, "rnn"])["update"] == pytest.approx(1.5)
    assert tell(jobs["adding", 2, "lstm_peephole"])["update"] == pytest.approx(8 * 2 / 3)
    assert tell(jobs["copy", 11, "rnn"])["update"] > 8
    assert costs_by(Calibration(1.0, [], {}))(jobs["copy", 11, "rnn"]) is None


def test_a_run_costs_its_start_its_evaluations_its_updates_and_its_test() -> None:
    (item, *_) = runs_of(tiny())
    parts = costs(fixed=1.0, sampling=0.01, evaluation=0.1, update=10.0, memory=1e6, bytes_per_sequence=100.0)
    actual = amount(item.settings, parts, kind="run", share=0.5, started=2.0)
    # two updates, each followed by an evaluation on 16 sequences; 16 sequences before and 16 to test; three seeds
    once = 2 + 1 + 3 * 0.01 * 32 + 0.1 * 32
    assert actual.most == pytest.approx(once + 2 * 10 + 2 * 16 * 0.1)
    assert actual.expected == pytest.approx(once + 0.5 * (2 * 10 + 2 * 16 * 0.1))
    assert actual.memory == pytest.approx(1e6 + 3 * 32 * 100)
    assert actual.disk > 0


def test_a_baseline_costs_its_guesses() -> None:
    (item, *_) = (item for item in requested_records(tiny(tables=["baselines"])) if item.kind == "baseline")
    actual = amount(item.settings, costs(fixed=1.0, update=10.0), kind="baseline", share=0.5, started=2.0)
    assert actual.most == actual.expected == pytest.approx(2 + 1 + 6 * 10)


def test_the_share_of_the_budget_is_that_of_the_most_alike_finished_runs() -> None:
    experiment = tiny(tasks={"adding": {"sequences": 64_000}, "copy": {"sequences": 128_000}})
    requested = runs_of(experiment)
    write_runs(requested)
    summary = compute_of("summary", [entry.record for entry in load_records(requested)])
    summary["updates"] = summary["task"].map({"adding": 500, "copy": 400})
    summary.loc[summary["lag"] == 3, "updates"] = 1500
    share = shares([summary])
    assert share(requested[0].condition._replace(lag=3)) == pytest.approx(0.75)
    assert share(requested[0].condition._replace(lag=7)) == pytest.approx(0.5)  # of both lags of the task
    assert share(Condition("cpu", "copy", 7, "lstm", "full")) == pytest.approx(0.1)
    assert share(Condition("cpu", "latch", 7, "lstm", "full")) == pytest.approx(
        summary["updates"].sum() / (summary["budget"] // summary["batch_size"]).sum()
    )
    published = summary.assign(updates=1000)
    assert shares([summary, published])(requested[0].condition._replace(lag=3)) == pytest.approx(0.75)
    assert shares([summary[summary["lag"] != 3], published])(requested[0].condition._replace(lag=3)) == pytest.approx(
        0.5
    )
    assert shares([])(requested[0].condition) == USUAL_SHARE


def test_only_what_is_missing_costs_and_what_is_unknown_is_said() -> None:
    experiment = tiny(tables=["baselines"])
    jobs, done = jobs_of(experiment), {item.path for item in runs_of(experiment)[:2]}
    timed = [(job, costs(fixed=3600.0, memory=2e9)) for job in jobs if job.request.kind == "run"]
    rows = estimate(jobs, Calibration(0.0, timed, {}), done=done, share=lambda _: 1.0)
    assert [(row.kind, row.requested, row.missing, row.unknown) for row in rows] == [
        ("run", 5, 3, 0),
        ("baseline", 5, 5, 5),
    ]
    lines = "\n".join(report_rows(rows, experiment, cores=2))
    assert "core-hours: 3, at most 3\n" in lines
    assert "on 2 cores with nothing else to do: 90.0 minutes, at most 90.0 minutes" in lines
    assert "memory: up to 2.0 GB in one job, 4.0 GB in the 2 that run at once" in lines
    assert "not in it: 5 baseline jobs on cpu, which could not be timed on this machine" in lines


def test_the_longest_job_bounds_the_time_on_many_cores() -> None:
    experiment = tiny()
    jobs = jobs_of(experiment)
    done: set[str] = set()
    timed = [(job, costs(fixed=60.0 if number else 7200.0)) for number, job in enumerate(jobs)]
    rows = estimate(jobs, Calibration(0.0, timed, {}), done=done, share=lambda _: 1.0)
    assert "on 64 cores with nothing else to do: 2.0 hours" in "\n".join(report_rows(rows, experiment, cores=64))


ADAPTER = """#!{python}
import json, os, sys
print(json.dumps({{"started": 2.5}}), flush=True)
for line in sys.stdin:
    task = json.loads(line)["settings"]["task"]["name"]
    if task == "copy":
        os.kill(os.getpid(), 9)
    print(json.dumps({{"update": 1.0}} if task == "adding" else {{"error": "no such task"}}), flush=True)
"""


def test_a_process_that_is_killed_ends_only_its_share(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(ADAPTER.format(python=sys.executable))
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    jobs = sorted(jobs_of(tiny()), key=lambda job: job.condition.task, reverse=True)
    actual = calibrate(jobs, processes=2, seconds=60, python=str(python))
    assert actual.refused == {jobs[0].request.path: "the process was killed"}
    assert [job.condition.task for job, _ in actual.timed] == ["adding"] * 4
    assert actual.started == 2.5
    assert calibrate(jobs, processes=2, seconds=-1, python=str(python)).timed == []


def test_what_is_done_is_not_timed_and_costs_nothing() -> None:
    write_runs(runs_of(tiny()))
    Path("tiny.yaml").write_text(yaml.safe_dump(TINY))
    output = call("tiny.yaml")
    assert output.splitlines()[2].split() == ["runs", "5", "0", "0", "0", "0.00"]
    assert "timed 0 of the 0 jobs" in output


@pytest.mark.slow
def test_command_estimates_the_smoke_benchmark() -> None:
    output = call(str(ROOT / "config/smoke.yaml"), "--cores", "1", "--seconds", "200")
    assert output.startswith("smoke: 16 conditions\n")
    (line,) = (line for line in output.splitlines() if line.startswith("core-hours: "))
    hours = float(line.split()[1].rstrip(","))
    assert 0.001 < hours < 0.05
    assert "not in it" not in output
    assert list(Path().iterdir()) == []
