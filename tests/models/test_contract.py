"""The conformance suite of cells against files that keep the contract and files that break it, each in one line."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import models
from tests.conftest import pytest_configure
from tests.models import contract

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = Path(__file__).parent / "plugin"
SUITE = "tests/models/test_conformance.py"
SLSTM = (PLUGIN / "models" / "slstm.py").read_text(encoding="utf-8")


def run_suite(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the conformance suite as a contributor does, with the plug-in of this folder."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", SUITE, *arguments],
        cwd=ROOT,
        env=os.environ | {"LAGBENCH_PLUGINS": str(PLUGIN)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_cell_without_options_and_with_a_state_that_carries_no_error_passes() -> None:
    done = run_suite("--cell", "slstm")
    passed = re.fullmatch(r"(\d+) passed.*", done.stdout.splitlines()[-1])
    assert passed is not None, done.stdout
    assert int(passed[1]) >= 13


def test_an_unknown_cell_is_refused_in_one_line() -> None:
    config = SimpleNamespace(getoption={"--cell": "slsmt", "--task": None}.get)
    with pytest.raises(pytest.UsageError, match="unknown cell 'slsmt'; known: gru, lstm"):
        pytest_configure(config)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "replacement", "message"),
    [
        ("import numpy", "import nunpy", "cannot be imported"),
        ("PATHS: dict", "OTHER: dict", "declares no PATHS"),
        ("OPTIONS: dict[str, dict[str, Any]] = {}", "", "declares no OPTIONS"),
        ("= {}\n", '= {"bias": {"type": "string"}}\n', "OPTIONS: the schema"),
        (
            "class SLSTMCell",
            "class Second(Cell):\n    pass\n\n\nclass SLSTMCell",
            "2 subclasses of Cell (Sec",
        ),
        (
            "        self.features,",
            "        raise ValueError('too small')\n        self.features,",
            "the last: too small",
        ),
        ("        self.features,", "        raise KeyError('size')\n        self.features,", "must raise a ValueError"),
        ('    state_symbols = ("h", "c", "n", "m")\n', "", "state_symbols must name the 4 tensors"),
        ('    state_symbols = ("h", "c", "n", "m")', '    state_symbols = ("h", "c")', "state_symbols must name the 4"),
        ('error = ("m",)', 'error = ("k",)', "states_without_error must be among its states c, n, m; came: k"),
        ("        self.shapes =", "        self.shape =", "__init__ must set shapes"),
        (
            'via("gates", h)',
            'via("gate", h)',
            "via('gate', ...): the cell has no such path; its paths: cell, normaliser,",
        ),
        ('via("normaliser", n)', "n", "step never calls via('normaliser', ...)"),
        ('via("gates", h)', '(via("gates", h) + h)', "wrap each use of the old state in step"),
        ("c, n, m_new", "c, n[..., :1], m_new", "step must return the state"),
    ],
)
def test_a_file_that_breaks_the_contract_has_one_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, replacement: str, message: str
) -> None:
    name = tmp_path.name  # of this test alone
    assert text in SLSTM
    (tmp_path / f"{name}.py").write_text(SLSTM.replace(text, replacement), encoding="utf-8")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    assert name in contract.files_with_cells()
    error = contract.structural_error(name)
    assert error is not None
    assert message in error
    assert "\n" not in error
