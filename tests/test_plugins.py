"""Cells and tasks of plug-in folders: found by name from the environment variable, as the project's own are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOAD = """
from models.cell import load_cell
from tasks.task import load_task
print(type(load_cell("elman", features=2, hidden_size=3, options={"initialisation": "uniform"})).__module__)
print(type(load_task("repetition", lag=20, options={"loss": "all"})).__module__)
"""


def run(program: str, *plugins: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program that finds the project's packages, in `folder`, with these plug-ins."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "LAGBENCH_PLUGINS": os.pathsep.join(plugins)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_cells_and_tasks_of_plugins_are_loaded_by_name(tmp_path: Path) -> None:
    for plugin, package, source, name in (("a", "models", "rnn", "elman"), ("b", "tasks", "copy", "repetition")):
        (tmp_path / plugin / package).mkdir(parents=True)
        shutil.copy(ROOT / package / f"{source}.py", tmp_path / plugin / package / f"{name}.py")
    done = run(LOAD, "a", str(tmp_path / "b"), folder=tmp_path)
    assert done.stdout.split() == ["models.elman", "tasks.repetition"], done.stderr


def test_a_plugin_file_with_the_name_of_another_is_refused(tmp_path: Path) -> None:
    for package, name, call in (
        ("models", "lstm", "models.cell import cell_names"),
        ("tasks", "copy", "tasks.task import task_names"),
    ):
        (tmp_path / package).mkdir()
        shutil.copy(ROOT / package / f"{name}.py", tmp_path / package)
        done = run(f"from {call} as names; names()", str(tmp_path), folder=tmp_path)
        assert done.returncode != 0
        assert "must have another name than" in done.stderr.splitlines()[-1]
