"""The recipes of docs/extending.md: their files are saved into a copy of the tree, tested by the suites and run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    "Snakefile",
    "config",
    "models",
    "profiles",
    "pyproject.toml",
    "records",
    "tasks",
    "tests",
    "training",
    "workflow",
)
FILES = dict(
    re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", (ROOT / "docs/extending.md").read_text(), flags=re.DOTALL)
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree with the files of all recipes."""
    root = tmp_path_factory.mktemp("recipes") / "tree"
    root.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, root / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, root / part, follow_symlinks=False)
    for path, text in FILES.items():
        assert not (root / path).exists()
        (root / path).write_text(text)
    return root


def run(tree: Path, *words: str) -> str:
    """Run a Python module in the tree and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LAGBENCH", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def test_there_is_a_file_for_each_recipe() -> None:
    assert [Path(path).parent.as_posix() for path in FILES] == [
        *("tasks", "models", "config", "workflow/tables", "workflow/figures")
    ]


@pytest.mark.parametrize(
    ("suite", "chosen", "least"),
    [
        ("tests/tasks/test_conformance.py", "--task=latch", 20),
        ("tests/models/test_conformance.py", "--cell=leaky_rnn", 13),
        ("tests/analysis/test_declarations.py", "-k=budget_share", 1),
        ("tests/analysis/test_figures.py", "-k=loss_versus_lag", 2),
    ],
)
def test_the_conformance_suites_find_and_pass_the_new_files(tree: Path, suite: str, chosen: str, least: int) -> None:
    printed = run(tree, "pytest", "-q", "-p", "no:cacheprovider", suite, chosen)
    passed = re.search(r"(\d+) passed", printed)
    assert passed is not None, printed
    assert int(passed[1]) >= least, printed


def test_lint_has_nothing_against_them(tree: Path) -> None:
    python = [path for path in FILES if path.endswith(".py")]
    run(tree, "ruff", "check", "--no-cache", *python)
    run(tree, "ruff", "format", "--check", "--no-cache", *python)


def test_the_new_task_cell_flow_and_figure_run_through_the_pipeline(tree: Path) -> None:
    run(tree, "snakemake", "--cores", "2", "--configfile", "config/recipes.yaml")
    results = tree / "results" / "recipes"
    summary = pd.read_csv(results / "summary.csv")
    series = set(summary[["model", "gradient", "paths", "num_steps"]].fillna(0).itertuples(index=False, name=None))
    assert series == {
        ("leaky_rnn", "full", "leak+recurrent", 0),
        ("leaky_rnn", "leak_only", "leak", 0),
        ("lstm", "cell_and_gates", "cell+gates", 6),
    }
    assert set(summary["task"]) == {"latch"}
    shares = pd.read_csv(results / "budget_share.csv")["budget_share"]
    assert len(shares) == 6
    assert shares.between(0, 1).all()
    for figure in ("accuracy_versus_lag", "loss_versus_lag"):
        assert {path.suffix for path in (results / "figures").glob(f"{figure}.*")} == {".pdf", ".svg", ".png"}


def test_the_recipes_work_unchanged_in_a_plug_in_folder(tmp_path: Path) -> None:
    for path, text in FILES.items():
        file = Path(path)
        target = tmp_path / ("recipes.yaml" if file.parts[0] == "config" else f"mine/{file.parent.name}/{file.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text if target.suffix == ".py" else f"plugins: [mine]\n{text}")
    snakemake = ("snakemake", "--cores", "2", "--snakefile", str(ROOT / "Snakefile"), "--configfile", "recipes.yaml")
    run(tmp_path, *snakemake)
    results = tmp_path / "results" / "recipes"
    assert set(pd.read_csv(results / "summary.csv")["task"]) == {"latch"}
    assert (results / "figures" / "loss_versus_lag.png").is_file()
    assert (results / "budget_share.csv").is_file()
    provenance = pd.read_csv(results / "provenance.csv")
    assert [name for name in provenance.columns if name.startswith("plugins.") and name.endswith("mine.digest")]
    (tmp_path / "mine" / "tasks" / "adding.py").write_text("")
    with pytest.raises(AssertionError, match=r"config: plugins: .*adding\.py must have another name than"):
        run(tmp_path, *snakemake)
