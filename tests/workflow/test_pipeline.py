"""The pipeline with real training, on a configuration of two updates."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.settings import TINY, TINY_RUNS
from tests.workflow.conftest import Tree, copy_tree
from tests.workflow.test_rules import import_as_module
from workflow.experiment.sources import read_docstring

pytestmark = pytest.mark.slow
RUNS = "results/tiny/runs/cpu"


@pytest.fixture(scope="module")
def trained(pristine: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree in which the tiny benchmark has run to its end."""
    tree = copy_tree(pristine.root, tmp_path_factory.mktemp("trained") / "tree")
    output = tree.snakemake("--cores", "2")
    assert f"figures: {tree.root}/results/tiny/figures\ntable:   {tree.root}/results/tiny/summary.csv\n" in output
    return tree


@pytest.fixture
def done(trained: Tree, tmp_path: Path) -> Tree:
    """A copy of the trained tree, to edit."""
    return copy_tree(trained.root, tmp_path / "done")


def rows(tree: Tree, table: str) -> list[dict[str, str]]:
    with (tree.root / f"results/tiny/{table}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def results(root: Path) -> dict[str, bytes]:
    """Return what a rerun must reproduce byte by byte: tables and run records, without the provenance."""
    requested = [*root.glob("results/**/*.csv"), *root.glob("results/**/seeds=*.json")]
    return {str(path.relative_to(root)): path.read_bytes() for path in requested if "provenance" not in path.name}


def test_every_replica_has_a_row_and_every_condition_a_statistic(trained):
    assert len(rows(trained, "summary")) == len(TINY_RUNS) * 3
    assert len(rows(trained, "statistics")) == len(TINY_RUNS)
    assert len(rows(trained, "provenance")) == len(TINY_RUNS)
    computed = {path.name for path in (trained.root / "results/tiny/figures").glob("[!.]*")}
    assert computed == {f"{figure}.{kind}" for figure in TINY["figures"] for kind in ("pdf", "svg", "png")}


def test_rerun_elsewhere_gives_equal_bytes_and_then_nothing_to_do(trained, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    words = ("--cores", "1", "--directory", str(elsewhere), "--configfile", str(trained.root / "tiny.yaml"))
    output = trained.snakemake(*words, config=None)
    assert len(re.findall(r"^\S+/seeds=0-2: update 2/2, ", output, re.M)) == len(TINY_RUNS)  # alone: on the terminal
    here, there = results(trained.root), results(elsewhere)
    assert sorted(here) == sorted(there)
    assert [name for name in here if here[name] != there[name]] == []
    assert "Nothing to be done" in trained.snakemake(*words, config=None)
    assert "Nothing to be done" in trained.snakemake("--cores", "2", "--workflow-profile", "none")


@pytest.mark.parametrize("words", [(), ("--workflow-profile", "none")])
def test_comment_in_a_figure_script_reruns_only_that_figure(done, words):
    with (done.root / "workflow/figures/solved_versus_lag.py").open("a") as file:
        file.write("\n# a comment\n")
    assert done.jobs(*words) == {"all": {""}, "figure": {"solved_versus_lag"}}
    assert "Nothing to be done" not in done.snakemake("--cores", "2", *words)
    assert "Nothing to be done" in done.snakemake("--cores", "2", *words)


def test_edit_of_the_statistics_trains_nothing(done):
    with (done.root / "workflow/tables/statistics.py").open("a") as file:
        file.write("\nEDITED = True\n")
    jobs = done.jobs()
    assert "statistics" in jobs
    assert not {"train", "summary"} & set(jobs)


def test_more_and_fewer_seeds_end_in_the_tables(done):
    before = (done.root / "results/tiny/summary.csv").read_text()
    done.configure(seeds=[0, 1, 2, 3])
    done.snakemake("--cores", "2")
    assert len(rows(done, "summary")) == len(TINY_RUNS) * 4
    done.configure(seeds=[1])
    output = done.snakemake("--cores", "2")
    assert "rule train" not in output
    assert {row["seed"] for row in rows(done, "summary")} == {"1"}
    done.configure()
    done.snakemake("--cores", "2")
    assert (done.root / "results/tiny/summary.csv").read_text() == before


def test_condition_that_fails_stops_no_other_and_is_listed_with_its_reason(fresh):
    fresh.edit("tasks/copy.py", ENABLED, DISABLED)
    output = fresh.snakemake("--cores", "2", check=False)
    assert {path.relative_to(fresh.root / RUNS).as_posix() for path in (fresh.root / RUNS).rglob("seeds=0-2.json")} == {
        f"{run}.json" for run in TINY_RUNS if not run.startswith("copy")
    }
    assert [line for line in output.splitlines() if line.startswith("failed: ")] == [
        "failed: results/tiny/runs/cpu/copy/lag=11/rnn/full/seeds=0-2.json: no copies today "
        "(log: results/tiny/logs/cpu/copy/lag=11/rnn/full/seeds=0-2.log)"
    ]
    log = (fresh.root / "results/tiny/logs/cpu/copy/lag=11/rnn/full/seeds=0-2.log").read_text()
    assert "Traceback" in log
    assert log.endswith("\nerror: no copies today\n")
    fresh.edit("tasks/copy.py", DISABLED, ENABLED)
    assert fresh.to_train() == {"copy/lag=11/rnn/full/seeds=0-2"}


ENABLED = "def sample(self, rng: np.random.Generator, size: int) -> Batch:"
DISABLED = """def sample(self, rng: np.random.Generator, size: int) -> Batch:
        raise ValueError("no copies today")

    def _sample(self, rng: np.random.Generator, size: int) -> Batch:"""


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda record: record | {"sources": "0" * 64}, "sources is 000000000000"),
        (
            lambda record: record | {"settings": record["settings"] | {"learning_rates": [0.5]}},
            "learning_rates is [0.5], the config asks for [0.01]",
        ),
    ],
)
def test_stale_run_record_is_refused_in_one_line(done, edit, says):
    path = done.root / RUNS / "copy/lag=11/rnn/full/seeds=0-2.json"
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    output = done.snakemake("--cores", "2", check=False)
    listed = [line for line in output.splitlines() if line.startswith("failed: ")]
    for line, table in zip(sorted(listed), ("curves", "summary"), strict=True):
        assert line.startswith(f"failed: results/tiny/{table}.csv: run results/tiny/runs/cpu/copy/lag=11/rnn/full/")
        assert says in line


def test_report_holds_the_figures_with_their_captions(done):
    done.snakemake("--report", "report.zip")
    shutil.unpack_archive(done.root / "report.zip", done.root / "unpacked")
    text = "".join(path.read_text() for path in (done.root / "unpacked").rglob("*.html"))
    caption = read_docstring(done.root / "workflow/figures/accuracy_versus_lag.py").split(".")[0]
    assert " ".join(caption.split()) in " ".join(text.split())
    assert "statistics.csv" in text


def test_findings_are_decided_and_shown(done):
    done.snakemake("--cores", "2", "findings")
    results = done.root / "results/tiny"
    text, page = ((results / name).read_text() for name in ("findings.md", "findings.html"))
    shown = set(re.findall(r"\((figures/\w+\.png)\)", text))
    assert {"figures/constructed_network.png", "figures/derivative_by_path.png"} <= shown
    assert all((results / figure).exists() and f"'{figure}'" in page for figure in shown)
    computed = [
        json.loads((results / f"{name}.provenance.json").read_text()) for name in ("constructed", "derivatives")
    ]
    assert [details["kernel"] for details in computed] == ["reference", "reference"]
    assert "## Claim 5: holds\n" in text
    assert "snakemake --cores 2 --configfile config/hochreiter1997.yaml" in text
    assert {row["claim"] for row in rows(done, "findings")} == set("123456")
    assert "Nothing to be done" in done.snakemake("--cores", "2", "findings")
    done.edit("config/claims.yaml", "{at_least: 1000}", "{at_least: 1.0e+12}")
    assert set(done.jobs("findings")) == {"findings"}
    done.snakemake("--cores", "2", "findings")
    assert "## Claim 5: fails\n" in (results / "findings.md").read_text()


def test_imported_workflow_runs_to_its_end(fresh, tmp_path):
    outer = import_as_module(fresh, tmp_path / "outer")
    outer.snakemake("--cores", "2", config=None)
    assert (outer.root / "results/imported/statistics.csv").exists()
    assert (outer.root / "results/imported/figures/accuracy_versus_lag.png").exists()
    assert "Nothing to be done" in outer.snakemake("--cores", "1", config=None)


def test_record_holds_the_settings_and_sources_it_was_asked_for(trained):
    path = trained.root / RUNS / "copy/lag=11/rnn/full/seeds=0-2.json"
    record = json.loads(path.read_text())
    assert record["settings"]["seeds"] == [0, 1, 2]
    assert re.fullmatch("[0-9a-f]{64}", record["sources"])
    provenance = json.loads(path.with_suffix(".provenance.json").read_text())
    assert provenance["threads"] == 1
    assert yaml.safe_load((trained.root / "tiny.yaml").read_text())["experiment"] == "tiny"
