"""The pipeline with real training, on a configuration of two updates: what is computed, kept, repeated and reported."""

import csv
import json
import os
import re
import shutil
import time
from pathlib import Path

import pytest
import yaml
from snakemake.persistence.file import FilePersistence

from tests.workflow.echo import PLUGIN, write_cell
from tests.workflow.workspace import ROOT, Workspace, write_outer_workflow
from workflow.experiment.sources import read_docstring

pytestmark = pytest.mark.slow
RESULTS = Path("results/tiny")
GRID = [{"devices": ["cpu"], "tasks": ["adding", "copy"], "models": ["rnn", "echo"], "gradients": ["full"]}]
OURS = {
    "plugins": [PLUGIN],
    "grid": GRID,
    "tasks": {"adding": {"lags": [2]}},
    "models": {"echo": {"cell": "echo", "hidden_size": 2}},
    "figures": ["accuracy_versus_lag", "ours"],
    "claims": "claims.yaml",
}
RNN = {"adding/lag=2/rnn/full/seeds=0-2", "copy/lag=11/rnn/full/seeds=0-2"}
ECHO = {run.replace("rnn", "echo") for run in RNN}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which the tiny benchmark, with a cell and a figure of its own, has run to its end."""
    workspace = Workspace(tmp_path_factory.mktemp("trained"))
    workspace.configure(**OURS)
    write_cell(workspace)
    (workspace.root / PLUGIN / "figures").mkdir()
    shutil.copy(ROOT / "workflow/figures/solved_versus_lag.py", workspace.root / PLUGIN / "figures/ours.py")
    shutil.copy(ROOT / "config/claims.yaml", workspace.root)
    output = workspace.snakemake("--cores", "2")
    results = workspace.root / RESULTS
    assert f"figures: {results}/figures\ntable:   {results}/summary.csv\n" in output
    assert "Using workflow specific profile" in output
    return workspace


@pytest.fixture
def done(trained: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it, to edit; as far from the code, whose paths are relative."""
    return trained.copy_to(tmp_path)


def rows(workspace: Workspace, table: str) -> list[dict[str, str]]:
    with (workspace.root / RESULTS / f"{table}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_that_is_requested_is_computed(trained):
    assert len(rows(trained, "summary")) == 4 * 3
    assert len(rows(trained, "statistics")) == len(rows(trained, "provenance")) == 4
    figures = {path.name for path in (trained.root / RESULTS / "figures").glob("[!.]*")}
    assert figures == {f"{figure}.{kind}" for figure in OURS["figures"] for kind in ("pdf", "svg", "png")}
    path = trained.root / RESULTS / "runs/cpu/copy/lag=11/rnn/full/seeds=0-2.json"
    record = json.loads(path.read_text())
    assert record["settings"]["seeds"] == [0, 1, 2]
    assert re.fullmatch("[0-9a-f]{64}", record["sources"])
    assert json.loads(path.with_suffix(".provenance.json").read_text())["threads"] == 1


@pytest.mark.parametrize("words", [(), ("--workflow-profile", "none")])
def test_then_there_is_nothing_to_do(trained, words):
    assert "Nothing to be done" in trained.snakemake("--cores", "7", *words)


def test_snakemake_s_metadata_trains_what_a_change_changes_and_no_more(done):
    for changes, runs in (
        ({"seeds": [0, 1, 2, 3]}, {run.replace("0-2", "3") for run in RNN | ECHO}),
        ({"seeds": [2, 0], "seeds_per_job": 1}, set()),
        ({"models": OURS["models"] | {"rnn": {"hidden_size": 3}}}, RNN),
        ({"training": {"clip_norm": 1, "evaluate_every": 1.0}, "threads": 2}, set()),
    ):
        done.configure(**OURS | changes)
        assert done.plan(cores=2).names() == runs, changes


def test_touched_copied_and_forgotten_results_train_nothing(done, tmp_path):
    for path in (done.root / RESULTS).rglob("*"):
        os.utime(path)
    assert done.plan().names() == set()
    for path in (done.root / RESULTS).rglob("seeds=*.provenance.json"):
        path.write_text(json.dumps({"versions": {"torch": "0.1"}, "settings": "", "sources": ""}))
    assert done.plan().names() == set()
    clone = Workspace(tmp_path / "clone")
    shutil.copytree(done.root, clone.root, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns(".snakemake"))
    for age, path in enumerate(sorted(path for path in clone.root.rglob("*") if path.is_file())):
        os.utime(path, (time.time() - age, time.time() - age))
    assert clone.plan().names() == set()


def test_touching_stale_results_makes_none_current(done):
    """Also with metadata that says so."""
    done.configure(**OURS, seeds=[0, 1])
    output = done.snakemake("--cores", "1", "--touch", check=False)
    assert "stale: results/tiny/summary.csv" in output.splitlines()[-1]
    assert done.plan().rules() > {"summary", "statistics", "figure"}


def test_edited_code_computes_what_it_determines_and_no_more(done):
    for comment in ("# a comment", '"""A docstring."""'):
        with (done.root / PLUGIN / "models/echo.py").open("a") as file:
            file.write(f"\n{comment}\n")
    assert done.plan().jobs == []
    with (done.root / PLUGIN / "figures/ours.py").open("a") as file:
        file.write("\n# a comment\n")
    assert sorted(job.wildcards.get("figure", job.rule) for job in done.plan().jobs) == ["all", "ours"]
    write_cell(done, bound=0.25)
    before = (done.root / RESULTS / "summary.csv").read_text()
    assert done.plan().names() == ECHO
    output = done.snakemake("--cores", "2")
    assert "stale: 2 of 4 records" in output
    assert (done.root / RESULTS / "summary.csv").read_text() != before
    assert done.plan().jobs == []


def test_more_and_fewer_seeds_end_in_the_tables(done):
    before, ours = (done.root / RESULTS / "summary.csv").read_text(), OURS | {"figures": []}
    done.configure(**ours, seeds=[0, 1, 2, 3])
    done.snakemake("--cores", "2")
    assert len(rows(done, "summary")) == 4 * 4
    done.configure(**ours)
    assert "rule train" not in done.snakemake("--cores", "2")
    assert (done.root / RESULTS / "summary.csv").read_text() == before


def test_partial_results_are_those_of_what_is_there_and_make_no_run(done):
    run = done.root / RESULTS / "runs/cpu/copy/lag=11/rnn/full/seeds=0-2.json"
    kept = run.rename(done.root / "kept.json")
    assert "runs: 3 of 4 done\n" in done.snakemake("--cores", "2", "partial")
    assert not run.exists()
    assert len(rows(done, "partial/summary")) == 3 * 3
    kept.rename(run)
    assert done.plan().jobs == []


def test_report_holds_the_figures_with_their_captions(done):
    done.snakemake("--report", "report.zip")
    shutil.unpack_archive(done.root / "report.zip", done.root / "unpacked")
    text = "".join(path.read_text() for path in (done.root / "unpacked").rglob("*.html"))
    caption = read_docstring(ROOT / "workflow/figures/accuracy_versus_lag.py").split(".")[0]
    assert " ".join(caption.split()) in " ".join(text.split())
    assert "statistics.csv" in text


def test_findings_are_decided_and_shown(done):
    done.snakemake("--cores", "2", "findings")
    results = done.root / RESULTS
    text, page = ((results / name).read_text() for name in ("findings.md", "findings.html"))
    shown = set(re.findall(r"\((figures/\w+\.png)\)", text))
    assert {"figures/constructed_network.png", "figures/derivative_by_path.png"} <= shown
    assert all((results / figure).exists() and f"'{figure}'" in page for figure in shown)
    for name in ("constructed", "derivatives"):
        assert json.loads((results / f"{name}.provenance.json").read_text())["kernel"] == "reference"
    assert "## Claim 5: holds\n" in text
    assert {row["claim"] for row in rows(done, "findings")} == set("123456")
    assert done.plan("findings").jobs == []
    claims = yaml.safe_load((done.root / "claims.yaml").read_text())
    claims["claims"][4]["checks"][0]["rule"] = {"at_least": 1e12}
    (done.root / "claims.yaml").write_text(yaml.safe_dump(claims))
    done.snakemake("--cores", "2", "findings")
    assert "## Claim 5: fails\n" in (results / "findings.md").read_text()


BROKEN = {
    "broken": "raise ValueError('no copies today')",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "hungry": "torch.empty(1 << 50)",
}
MEASURING = {"learning_rate": 0.01, "sequences": 4, "evaluations": 2, "flows": ["full"]}


def test_jobs_that_fail_stop_no_other_and_are_listed_with_their_reasons(workspace):
    for name, statement in BROKEN.items():
        write_cell(workspace, name=name, before_step=statement)
    changes = {
        "plugins": [PLUGIN],
        "grid": [GRID[0] | {"tasks": ["copy"], "models": ["rnn", *BROKEN]}],
        "models": {name: {"cell": name, "hidden_size": 2} for name in BROKEN},
        "tables": ["baselines", "snapshots"],
        "measurement": MEASURING,
    }
    workspace.configure(**changes)
    output = workspace.snakemake("--cores", "2", "--quiet", "host", "rules", check=False)
    failed = dict(line.split(": ", 2)[1:] for line in output.splitlines() if line.startswith("failed: "))
    place = f"{RESULTS}/{{}}/cpu/copy/lag=11/{{}}".format
    end = "full/seeds=0-2"
    for path in (place("runs", f"broken/{end}"), place("measurements", f"broken/{end}"), place("baselines", "broken")):
        assert failed[f"{path}.json"].startswith("no copies today (log: results/tiny/logs/"), failed
    log = (workspace.root / f"{place('logs', f'broken/{end}')}.log").read_text()
    assert "Traceback" in log
    assert log.endswith("\nerror: no copies today\nexit status 1\n")
    assert failed[f"{place('runs', f'killed/{end}')}.json"].startswith(
        "killed by SIGKILL, as a system does that is out"
    )
    assert failed[f"{place('runs', f'hungry/{end}')}.json"].startswith("out of memory (about ")
    assert {path.parts[-3] for path in (workspace.root / RESULTS / "runs").rglob("seeds=0-2.json")} == {"rnn"}
    write_cell(workspace, name="broken")
    assert workspace.plan().names() == {f"copy/lag=11/{name}/{end}" for name in BROKEN}


def test_partial_results_of_nothing_are_no_failure_and_need_no_gpu(workspace):
    workspace.configure(grid=[GRID[0] | {"devices": ["cuda"], "tasks": ["copy"], "models": ["rnn"]}])
    output = workspace.snakemake("--cores", "1", "partial")
    assert "runs: 0 of 1 done\n" in output
    assert (workspace.root / RESULTS / "partial/figures/coverage.png").exists()
    assert not (workspace.root / RESULTS / "runs").exists()


def test_packed_runs_of_an_imported_workflow_lie_below_its_prefix_and_are_kept(tmp_path):
    outer = write_outer_workflow(tmp_path / "outer", conditions_per_job=2)
    results = outer.root / "below/results/imported"
    run = results / "runs/cpu/copy/lag=11/rnn/full/seeds=0.json"
    outer.snakemake("--cores", "2", "lagbench_packed", config=None)
    assert [path.name for path in (results / "packed").rglob("*.json")] == ["seeds=0.json", "seeds=0.provenance.json"]
    assert not run.exists()
    outer.snakemake("--cores", "2", config=None)
    assert not list((results / "packed").rglob("*.json"))
    assert (results / "statistics.csv").exists()
    assert (results / "figures/accuracy_versus_lag.png").exists()
    assert not (outer.root / "results").exists()
    assert outer.plan(config=None).jobs == []
    assert outer.plan("lagbench_packed", config=None).rules() <= {"lagbench_packed"}
    computed = run.stat().st_mtime_ns
    persistence = FilePersistence(path=outer.root / ".snakemake")
    for path in (run, run.with_suffix(".provenance.json")):
        persistence._mark_incomplete(str(path.relative_to(outer.root)), None)
    output = outer.snakemake("--cores", "1", "--rerun-incomplete", str(run.relative_to(outer.root)), config=None)
    assert "Nothing to be done" in output
    assert run.stat().st_mtime_ns == computed


def test_packed_runs_have_the_numbers_of_others_and_nothing_runs_twice(trained, tmp_path):
    workspace = Workspace(tmp_path)
    shutil.copytree(trained.root / PLUGIN, workspace.root / PLUGIN)
    shutil.copy(trained.root / "claims.yaml", workspace.root)
    workspace.configure(**OURS, conditions_per_job=3)
    workspace.snakemake("--cores", "2", "packed")
    assert not (workspace.root / RESULTS / "runs").exists()
    workspace.snakemake("--cores", "2", "--until", "train")
    runs = [path.relative_to(trained.root) for path in (trained.root / RESULTS / "runs").rglob("seeds=0-2.json")]
    assert len(runs) == 4
    for run in runs:
        assert (workspace.root / run).read_bytes() == (trained.root / run).read_bytes()
    assert not list((workspace.root / RESULTS / "packed").rglob("*.json"))
    for packed in ({"conditions_per_job": 3}, {"conditions_per_job": 1}):
        workspace.configure(**OURS, **packed)
        assert workspace.plan(until={"train"}).names() == set()
    workspace.configure(**OURS, conditions_per_job=4, seeds=[0, 1, 2, 3])
    assert workspace.plan(until={"train"}).names() == {run.replace("0-2", "3") for run in RNN | ECHO}
    assert workspace.plan("packed").names() == set()
