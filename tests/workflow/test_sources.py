"""The digest of the code: what counts as code, and which files a result depends on."""

from pathlib import Path

import pytest

from tests.settings import tiny
from workflow.experiment.errors import ConfigurationError
from workflow.experiment.experiment import Experiment, training_files
from workflow.experiment.source_tree import SourceTree
from workflow.experiment.sources import code_only

ROOT = Path(__file__).resolve().parents[2]
CODE = '''"""A module."""
import math  # for pi


class A:
    """A class."""

    size: int
    """An attribute."""

    def f(self):
        """A function."""
        # a comment
        text = """kept@@
        # kept too

        """
        return text, "#", f"{self!r} # kept"

    def g(self): "one line"; return 1
'''.replace("@@", "  ")  # blanks at the end of a line of text


def test_comments_docstrings_and_blank_lines_are_no_code():
    bare = code_only(CODE)
    for gone in ("A module", "A class", "An attribute", "A function", "a comment", "for pi", "one line"):
        assert gone not in bare
    for kept in (
        '"""kept  \n        # kept too\n\n        """',
        '"#"',
        '{self!r} # kept"',
        "return 1",
        "import math\n",
    ):
        assert kept in bare


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another ümlaut"),
        ('"""A class."""', '"""Ein längerer Satz:\n\n    # mit Zeilen."""'),
        ("# for pi", ""),
        ("class A:", "\n\nclass A:   "),
        ('"one line"; ', '"another"; '),
    ],
)
def test_edits_beside_the_code_do_not_count(old, new):
    assert old in CODE
    assert code_only(CODE.replace(old, new)) == code_only(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("kept too", "kept"), ("kept  \n", "kept\n"), ("return 1", "return 2"), ('"#"', '"##"'), ("too\n\n", "too\n")],
)
def test_edits_of_the_code_count(old, new):
    assert old in CODE
    assert code_only(CODE.replace(old, new)) != code_only(CODE)


def write(root: Path, files: dict[str, str]) -> SourceTree:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return SourceTree(root)


def test_closure_follows_every_form_of_import(tmp_path):
    sources = write(
        tmp_path,
        {
            "training/__init__.py": "",
            "training/condition.py": "import os, torch\nfrom training import loop\nimport models.network as n\n",
            "training/loop.py": "from . import streams\nfrom .rate import warm\n"
            "def f():\n    from tasks.task import Task\n",
            "training/streams.py": "",
            "training/rate.py": "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import training.types_only\n"
            "else:\n    import training.really\n",
            "training/types_only.py": "",
            "training/really.py": "",
            "training/unused.py": "",
            "models/__init__.py": "",
            "models/network.py": "from models.kernels import reference",
            "models/kernels/__init__.py": "from . import shared",
            "models/kernels/shared.py": "",
            "models/kernels/reference.py": "import training.condition",
            "tasks/task.py": "",
        },
    )
    closure = {path.as_posix() for path in sources.closure(["training/condition.py"])}
    assert closure == {
        "training/__init__.py",
        "training/condition.py",
        "training/loop.py",
        "training/streams.py",
        "training/rate.py",
        "training/really.py",
        "models/__init__.py",
        "models/network.py",
        "models/kernels/__init__.py",
        "models/kernels/shared.py",
        "models/kernels/reference.py",
        "tasks/task.py",
    }


def test_digest_depends_on_names_and_texts_of_the_closure(tmp_path):
    files = {"tasks/a.py": "import tasks.b", "tasks/b.py": "x = 1", "tasks/c.py": "x = 1"}
    digest = write(tmp_path, files).digest(["tasks/a.py"])
    assert write(tmp_path, {"tasks/c.py": "x = 2"}).digest(["tasks/a.py"]) == digest
    assert write(tmp_path, {"tasks/b.py": "x = 1  # one"}).digest(["tasks/a.py"]) == digest
    assert write(tmp_path, {"tasks/b.py": "x = 2"}).digest(["tasks/a.py"]) != digest


def test_training_depends_on_its_loop_and_not_on_other_tasks_or_on_what_varies():
    kernels = ["models/kernels/cpu.py", "models/kernels/reference.py"]
    entries = ["training/condition.py", "training/protocols/minibatch.py", "tasks/copy.py", "models/rnn.py", *kernels]
    closure = {path.as_posix() for path in SourceTree(ROOT).closure(entries)}
    assert {"training/setup.py", "models/kernels/fused.py", "tasks/task.py"} <= closure
    assert not closure & {"tasks/adding.py", "models/lstm.py", "training/progress.py", "training/provenance.py"}
    assert not {path for path in closure if path.startswith("training/optimisers/") and "__init__" not in path}


@pytest.mark.parametrize("cell", ["lstm", "rnn"])
def test_no_training_depends_on_the_torch_module_for_others(cell):
    kernels = ["models/kernels/cpu.py", "models/kernels/reference.py"]
    entries = ["training/condition.py", "tasks/copy.py", f"models/{cell}.py", *kernels]
    closure = {path.as_posix() for path in SourceTree(ROOT).closure(entries)}
    assert {"models/__init__.py", f"models/{cell}.py"} <= closure
    assert "models/torch_lstm.py" not in closure


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({}, {"protocols/minibatch.py", "optimisers/adam.py"}),
        ({"optimiser": "adamw"}, {"protocols/minibatch.py", "optimisers/adamw.py", "optimisers/adam.py"}),
        ({"schedule": "cosine"}, {"protocols/minibatch.py", "optimisers/adam.py", "schedules/cosine.py"}),
        ({"protocol": "online", "optimiser": "sgd"}, {"protocols/online.py", "optimisers/sgd.py"}),
    ],
)
def test_of_protocols_optimisers_and_schedules_a_run_depends_on_its_own_alone(training, expected):
    entries = ["training/condition.py", *training_files(tiny(training=training))]
    loaded_by_name = {
        path.relative_to("training").as_posix()
        for path in SourceTree(ROOT).closure(entries)
        if path.parent.parent == Path("training") and path.name != "__init__.py"
    }
    assert loaded_by_name == expected


def test_a_run_depends_on_the_file_of_a_torch_module_of_ours():
    def sources(module: str) -> str:
        model = {"cell": "module", "hidden_size": 2, "module": module, "arguments": {}}
        grid = [{"devices": ["cpu"], "tasks": ["adding"], "models": ["m"], "gradients": ["full"]}]
        experiment = Experiment(tiny(grid=grid, models={"m": model}), root=ROOT)
        return experiment.sources(experiment.conditions[0])

    assert sources("torch.nn.GRU") == sources("torch.nn.RNN") != sources("models.torch_lstm.LSTM")
    with pytest.raises(ConfigurationError, match=r"models\.m\.module: expected an import path in torch, or in models"):
        sources("os.path.join")
