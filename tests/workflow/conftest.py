"""A copy of the source tree to edit, and Snakemake run in it."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.settings import tiny
from tests.workflow.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "config", "models", "profiles", "records", "tasks", "training", "workflow")

UNTRAINED = """
import argparse, json, pathlib
parser = argparse.ArgumentParser()
for name in ("entry", "settings", "sources", "threads", "record", "provenance", "minutes"):
    parser.add_argument(f"--{name}")
job = parser.parse_args()
pathlib.Path(job.provenance).write_text("{}")
pathlib.Path(job.record).write_text(json.dumps({"settings": json.loads(job.settings), "sources": job.sources}))
"""


@dataclass(frozen=True)
class Tree:
    """A copy of the source tree with a configuration of its own."""

    root: Path

    def configure(self, **changes: object) -> None:
        """Write the tiny configuration with some keys changed."""
        (self.root / "tiny.yaml").write_text(yaml.safe_dump(tiny(**changes)))

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file, which must be there."""
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    def snakemake(self, *words: str, config: str | None = "tiny.yaml", check: bool = True) -> str:
        """Run Snakemake in the tree, with no activated environment, and return all that it prints."""
        command = [sys.executable, "-m", "snakemake", *words]
        command += ["--configfile", config] if config else []
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("LAGBENCH", "PYTEST", "MAKE"))
        }
        done = subprocess.run(
            command,
            cwd=self.root,
            env=clean | {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout[-5000:]
        return done.stdout

    def jobs(self, *words: str) -> dict[str, set[str]]:
        """Return what a dry run would make: per rule the wildcards of its jobs, a training job's as a path."""
        planned: dict[str, set[str]] = {}
        for job in re.split(r"\n\n|\n(?=\[)", self.snakemake("-n", *words)):
            rule = re.search(r"^(?:local)?rule (\w+):$", job, re.M)
            if rule:
                pairs = re.findall(r"(\w+)=([^,\s]+)", "".join(re.findall(r"^    wildcards: (.*)$", job, re.M)))
                wildcards = dict(pairs)
                name = ", ".join(wildcards.values())
                if rule[1].endswith("table"):  # one rule makes all of a kind
                    rule = ("", name)
                    name = ""
                if rule[1] == "train":
                    name = "{task}/lag={lag}/{model}/{gradient}/seeds={seeds}".format(**wildcards)
                planned.setdefault(rule[1], set()).add(name)
        return planned

    def to_train(self, *words: str) -> set[str]:
        """Return the training jobs of a dry run."""
        return self.jobs("--until", "train", *words).get("train", set())


def copy_tree(source: Path, target: Path) -> Tree:
    """Copy a source tree with times and links kept."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return Tree(target)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The source tree as it is, without results."""
    root = tmp_path_factory.mktemp("tree") / "pristine"
    root.mkdir()
    for part in PARTS:
        if (ROOT / part).is_symlink() or (ROOT / part).is_file():
            shutil.copy2(ROOT / part, root / part, follow_symlinks=False)
        else:
            shutil.copytree(ROOT / part, root / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    tree = Tree(root)
    tree.configure()
    return tree


@pytest.fixture(scope="session")
def untrained(pristine: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree whose runs are all there by Snakemake's books, written by a script that trains nothing."""
    tree = copy_tree(pristine.root, tmp_path_factory.mktemp("untrained") / "tree")
    (tree.root / "workflow/scripts/job.py").write_text(UNTRAINED)
    tree.snakemake("--cores", "2", "--until", "train")
    return tree


@pytest.fixture
def fresh(pristine: Tree, tmp_path: Path) -> Tree:
    """A copy of the source tree without results, to edit."""
    return copy_tree(pristine.root, tmp_path / "fresh")


@pytest.fixture
def tree(untrained: Tree, tmp_path: Path) -> Tree:
    """A copy of the tree whose runs are all there, to edit."""
    return copy_tree(untrained.root, tmp_path / "tree")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A folder with the tiny configuration, without results."""
    (tmp_path / "here").mkdir()
    workspace = Workspace(tmp_path / "here")
    workspace.configure()
    return workspace
