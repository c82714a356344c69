"""The conformance suite of tasks against files that break the contract, each in one line that says what to do."""

from pathlib import Path

import pytest

import tasks
from tests.tasks import contract

COPY = Path(tasks.__path__[0], "copy.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "replacement", "message"),
    [
        ("import math", "import maths", "cannot be imported"),
        ("LAGS = [", "OTHER = [", "declares no LAGS"),
        (
            "class Copy(Task)",
            "class Other(Task):\n    pass\n\n\nclass Copy(Task)",
            "2 subclasses of Task (Other, Copy)",
        ),
        ('"minimum": 11', '"minimum": 10 + 1', "LAGS must be a literal"),
        ('"enum": ["all", "recall"]', '"type": "string"', "OPTIONS: the schema"),
        ("        self.lag = lag", "        raise KeyError(lag)", "name options that do not go together in REFUSED"),
        ("        self.chance =", "        self.luck =", "__init__ must set chance"),
    ],
)
def test_a_file_that_breaks_the_contract_has_one_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, replacement: str, message: str
) -> None:
    name = tmp_path.name  # of this test alone
    assert text in COPY
    (tmp_path / f"{name}.py").write_text(COPY.replace(text, replacement), encoding="utf-8")
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    assert name in contract.files_with_tasks()
    error = contract.structural_error(name)
    assert error is not None
    assert message in error
    assert "\n" not in error
