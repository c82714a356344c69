"""Optimisers, schedules and protocols of a plug-in folder are found as ours are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import training.optimisers
from training.optimiser import Optimiser
from training.plugins import load_instance

ROOT = Path(__file__).resolve().parents[2]
SIGN = '''"""Sign descent: Bernstein et al. 2018, without momentum."""

from training.optimiser import Optimiser

OPTIONS = {}


class Sign(Optimiser):
    def apply(self, weights, gradient, *, moments, rates, update):
        weights.sub_(rates * gradient.sign())
'''
TRAIN = """
from tests.settings import job_settings
from training.condition import train_condition

settings = job_settings(seeds=[0], learning_rates=[0.01], sequences=16, optimiser={"name": "sign"})
record = train_condition(settings | {"schedule": {"name": "flat"}}, lambda progress: None)
print(record["replicas"][0]["updates"])
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    for folder in ("optimisers", "schedules"):
        (tmp_path / folder).mkdir()
    (tmp_path / "optimisers/sign.py").write_text(SIGN)
    flat = (ROOT / "training/schedules/constant.py").read_text(encoding="utf-8")
    (tmp_path / "schedules/flat.py").write_text(flat)
    return tmp_path


def test_a_plug_in_s_optimiser_and_schedule_train(plugins: Path) -> None:
    environment = os.environ | {"LAGBENCH_PLUGINS": str(plugins)}
    done = subprocess.run([sys.executable, "-c", TRAIN], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "2\n", done.stderr


def test_a_plug_in_s_file_with_one_of_our_names_is_refused(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (plugins / "optimisers/adam.py").write_text(SIGN)
    monkeypatch.setattr(training.optimisers, "__path__", [*training.optimisers.__path__, str(plugins / "optimisers")])
    with pytest.raises(ValueError, match=f"file {plugins}/optimisers/adam.py must have another name than .*; rename"):
        load_instance(Optimiser, "adam")


def test_a_file_without_an_optimiser_is_refused(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (plugins / "optimisers/empty.py").write_text("OPTIONS = {}\n")
    monkeypatch.setattr(training.optimisers, "__path__", [str(plugins / "optimisers")])
    with pytest.raises(ValueError, match=r"optimisers/empty.py must define one Optimiser; it defines 0"):
        load_instance(Optimiser, "empty")
