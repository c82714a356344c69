"""What an experiment will cost: which jobs are timed, how the others lie between them, and how it is told."""

import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.analysis.experiments import ROOT, runs_of, tiny, write_runs
from tests.analysis.tables import compute_of
from tests.settings import TINY
from workflow.experiment.experiment import Experiment
from workflow.jobs.requested import requested_records
from workflow.operations.estimate import (
    COST,
    USUAL_SHARE,
    choose_jobs,
    describe_budget,
    estimate_seconds,
    list_jobs,
    report_jobs,
    time_jobs,
)
from workflow.operations.status import Status, find_status

LAGS = {"adding": {"lags": [2, 3, 5, 9]}}
ENDS = [(2, "rnn"), (3, "lstm_peephole")]


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def jobs_of(experiment: Experiment, *, done: int = 0, summary: Sequence[pd.DataFrame] = ()) -> pd.DataFrame:
    """Return the jobs of an experiment of which the first are done."""
    states = ["done" if row < done else "waiting" for row, _ in enumerate(requested_records(experiment))]
    statuses = map(Status, requested_records(experiment), states)
    return list_jobs(experiment, statuses, summary=summary)


def choose(experiment: Experiment) -> pd.DataFrame:
    jobs = jobs_of(experiment)
    return jobs.loc[choose_jobs(jobs)]


def costs(rows: pd.DataFrame, **changes: float) -> pd.DataFrame:
    """Return the same cost of some jobs."""
    return pd.DataFrame(dict.fromkeys(COST, 0.0) | changes, index=rows.index)


def call(*words: str) -> str:
    command = [sys.executable, "-m", "workflow", "estimate", *words]
    place = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=place, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_ends_of_every_series_are_timed_and_nothing_between() -> None:
    timed = choose(tiny(tasks=LAGS))
    ends = {("adding", lag, model) for lag in (2, 9) for model in ("rnn", "lstm_peephole")}
    assert set(timed[["task", "lag", "model"]].itertuples(index=False, name=None)) == ends | {("copy", 11, "rnn")}
    assert len(timed) == 5


def test_one_of_every_kind_is_timed_first_then_the_largest_of_every_model() -> None:
    timed = choose(tiny(tasks=LAGS, tables=["baselines"]))
    assert set(timed["kind"][:2]) == {"run", "baseline"}
    assert set(timed[timed["kind"] == "run"]["lag"][:3]) == {9, 11}


def test_of_several_gradients_the_second_is_timed_after_all_models() -> None:
    grid = [{"devices": ["cpu"], "tasks": ["adding"], "models": ["rnn", "lstm"], "gradients": ["full", "tbptt"]}]
    assert list(choose(tiny(grid=grid, tasks=LAGS))["gradient"]) == ["full"] * 4 + ["tbptt"] * 4


def test_drawn_sizes_of_a_search_are_one_series() -> None:
    search = {"hidden_size": {"draws": 4, "from": 2, "to": 40}, "learning_rate": {"draws": 2, "from": 0.01, "to": 0.1}}
    grid = [{"devices": ["cpu"], "tasks": ["copy"], "models": ["rnn"], "gradients": ["full"]}]
    timed = choose(tiny(grid=grid, search=search | {"seed": 0, "reference": "rnn"}))
    assert len(timed) == 2
    assert timed["work"].iloc[0] > 2 * timed["work"].iloc[1]


@pytest.mark.parametrize(("work", "update"), [(10, 1.0), (20, 2.0), (15, 1.5), (5, 0.5), (40, 4.0)])
def test_costs_lie_on_the_line_between_and_in_proportion_beyond(work: float, update: float) -> None:
    jobs = jobs_of(tiny(tasks=LAGS)).query("task == 'adding' and model == 'rnn'").iloc[:3]
    jobs["work"] = [10.0, 20.0, work]
    timed = pd.concat([costs(jobs[:1], unit=1.0), costs(jobs[1:2], unit=2.0)])
    assert estimate_seconds(jobs, timed)["unit"].iloc[2] == pytest.approx(update)


def test_a_job_of_which_nothing_alike_was_timed_borrows_from_the_most_alike() -> None:
    jobs = jobs_of(tiny())
    rnn, lstm = (jobs.query(f"task == 'adding' and lag == {lag} and model == '{model}'") for lag, model in ENDS)
    timed = pd.concat([costs(rnn, unit=1.0), costs(lstm, unit=8.0)])
    unit = estimate_seconds(jobs, timed).set_index(["task", "lag", "model"])["unit"]
    assert unit["adding", 3, "rnn"] == pytest.approx(1.5)
    assert unit["adding", 2, "lstm_peephole"] == pytest.approx(8 * 2 / 3)
    assert unit["copy", 11, "rnn"] > 8
    assert estimate_seconds(jobs, costs(jobs[:0]))["most"].isna().all()


def test_a_run_costs_its_updates_and_a_baseline_its_guesses() -> None:
    experiment = tiny(tables=["baselines"])
    jobs = estimate_seconds(jobs_of(experiment), costs(jobs_of(experiment), once=3.0, unit=10.0)).groupby("kind")
    assert list(jobs["most"].max().round(6)) == [3 + 6 * 10, 3 + 2 * 10]
    assert list(jobs["expected"].max().round(6)) == [3 + 6 * 10, round(3 + USUAL_SHARE * 2 * 10, 6)]


def test_the_disk_holds_a_point_per_evaluation_of_every_replica() -> None:
    (item, *_) = runs_of(tiny())
    few, many = (describe_budget(item.settings, share=share)["disk"] for share in (0.5, 1.0))
    assert 0 < many - few < few


def test_the_share_of_the_budget_is_that_of_the_most_alike_finished_runs() -> None:
    experiment = tiny(tasks={"adding": {"sequences": 64_000}, "copy": {"sequences": 128_000}})
    requested = runs_of(experiment)
    write_runs(requested)
    summary = compute_of("summary", [find_status(request).record for request in requested])
    summary["updates"] = summary["task"].map({"adding": 500, "copy": 400})
    summary.loc[summary["lag"] == 3, "updates"] = 1500
    assert share(experiment, [summary], "adding", 3) == pytest.approx(0.75)
    new = tiny(tasks={"adding": {"lags": [7], "sequences": 64_000}, "copy": {"sequences": 128_000}})
    assert share(new, [summary], "adding", 7) == pytest.approx(0.5)  # of both lags of the task
    assert share(new, [summary[summary["task"] == "copy"]], "adding", 7) == pytest.approx(0.1)
    assert share(new, [], "adding", 7) == USUAL_SHARE


def share(experiment: Experiment, summary: list[pd.DataFrame], task: str, lag: int) -> float:
    jobs = jobs_of(experiment, summary=summary).query(f"task == '{task}' and lag == {lag}")
    return float((jobs["expected"] / jobs["most"]).iloc[0])


def test_only_what_is_missing_costs_and_what_is_unknown_is_said() -> None:
    experiment = tiny(tables=["baselines"])
    jobs = jobs_of(experiment, done=2)
    jobs["memory"] = 2e9
    jobs = estimate_seconds(jobs, costs(jobs[jobs["kind"] == "run"], once=3600.0))
    lines = "\n".join(report_jobs(jobs, cores=2, threads=1))
    assert [line.split()[:3] for line in lines.splitlines()[1:3]] == [["runs", "5", "3"], ["baselines", "5", "5"]]
    assert "core-hours: 3, at most 3\n" in lines
    assert "on 2 cores with nothing else to do: 90.0 minutes, at most 90.0 minutes" in lines
    assert "memory: at most 2.0 GB in one job, 4.0 GB in the 2 that run at once" in lines
    assert "not in it: 5 baseline jobs on cpu, which could not be timed on this machine" in lines


def test_the_longest_job_bounds_the_time_on_many_cores() -> None:
    jobs = jobs_of(tiny())
    jobs = jobs.assign(most=60.0, expected=[7200.0, *[60.0] * (len(jobs) - 1)])
    assert "on 64 cores with nothing else to do: 2.0 hours" in "\n".join(report_jobs(jobs, cores=64, threads=1))


ADAPTER = """#!{python}
import json, os, sys
for job in json.load(sys.stdin):
    task = job["settings"]["task"]["name"]
    if task == "copy":
        os.kill(os.getpid(), 9)
    answer = {{"once": 2.5, "unit": 1.0}} if job["settings"]["task"]["lag"] == 2 else {{"error": "no such lag"}}
    print(json.dumps(answer), flush=True)
"""


def test_a_process_that_is_killed_ends_only_its_share(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(ADAPTER.format(python=sys.executable))
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    jobs = sorted(runs_of(tiny()), key=lambda job: job.condition.task, reverse=True)
    timed, refused = time_jobs(jobs, processes=2, seconds=60, python=str(python))
    others = jobs[1::2]  # next to the first, which kills its process
    assert refused == {jobs[0].path: "the process was killed"} | {
        job.path: "no such lag" for job in others if job.condition.lag == 3
    }
    assert timed["once"].count() == sum(job.condition.lag == 2 for job in others) > 0


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
