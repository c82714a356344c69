"""Which configurations protocol `online` accepts."""

from pathlib import Path

import pytest

from tests.settings import TINY
from workflow.experiment.declarations import Registry, load_registry
from workflow.experiment.errors import ConfigurationError
from workflow.experiment.reading import merge
from workflow.experiment.source_tree import SourceTree
from workflow.experiment.validation import validate

ROOT = Path(__file__).resolve().parents[2]
TRAINING = {"protocol": "online", "optimiser": "sgd", "batch_size": 1, "clip_norm": None, "dtype": "float64"}
GRID = [{"devices": ["cpu"], "tasks": ["copy"], "models": ["lstm"], "gradients": ["full"]}]
ONLINE = merge(TINY, {"training": TRAINING, "grid": GRID})


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The source tree, as if its LSTM could be trained online and copy had a stop rule for one of its losses."""
    files = load_registry(SourceTree(ROOT))
    lstm = files.cells["lstm"]._replace(online=True)
    rnn = files.cells["rnn"]._replace(online=False)
    copy = files.tasks["copy"]._replace(stops=[{"when": {"loss": "recall"}}])
    adding = files.tasks["adding"]._replace(stops=[])
    return files._replace(cells={"lstm": lstm, "rnn": rnn}, tasks=files.tasks | {"copy": copy, "adding": adding})


def test_what_fits_is_accepted(registry):
    validate(ONLINE, registry=registry)


MISFITS = [
    ({"training": {"optimiser": "adam"}}, "training.optimiser:", "online demands 'sgd'; came 'adam'"),
    ({"training": {"batch_size": 2}}, "training.batch_size:", "online demands 1; came 2"),
    ({"training": {"clip_norm": 1.0}}, "training.clip_norm:", "online demands null; came 1"),
    ({"training": {"dtype": "float32"}}, "training.dtype:", "online demands 'float64'; came 'float32'"),
    ({"optimisers": {"sgd": {"momentum": 0.5}}}, "optimisers.sgd.momentum:", "online demands 0; came 0.5"),
    ({"grid": [GRID[0] | {"devices": ["cpu", "cuda"]}]}, "grid[0].devices:", "online demands 'cpu'; came 'cuda'"),
    ({"grid": [GRID[0] | {"models": ["lstm", "rnn"]}]}, "models.rnn.cell:", "trains the cells lstm; came 'rnn'"),
    ({"tasks": {"copy": {"loss": "all"}}}, "tasks.copy:", "copy has one with loss: 'recall'; came loss: 'all'"),
    ({"grid": [GRID[0] | {"tasks": ["adding"]}]}, "tasks.adding:", "adding has none; came"),
    (
        {"training": {"protocol": "on-line"}},
        "training.protocol:",
        "unknown protocol 'on-line'; known: minibatch, online; did you mean online?",
    ),
]


@pytest.mark.parametrize(("changes", "key", "says"), MISFITS, ids=range(len(MISFITS)))
def test_what_does_not_fit_is_refused_in_one_line(registry, changes, key, says):
    with pytest.raises(ConfigurationError) as caught:
        validate(merge(ONLINE, changes), registry=registry)
    line = str(caught.value)
    assert line.startswith(f"config: {key} ")
    assert says in line
    assert line.isprintable()


def test_without_any_cell_that_can_the_line_says_so(registry):
    without = registry._replace(cells={name: cell._replace(online=False) for name, cell in registry.cells.items()})
    with pytest.raises(ConfigurationError, match="trains the cells none; came 'lstm'"):
        validate(ONLINE, registry=without)


def test_literals_of_the_files_are_read(tmp_path):
    for folder, text in (("tasks", "LAGS = []\nSTOPS = [{'when': {}}]\n"), ("models", "PATHS = {}\nONLINE = True\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.py").write_text(text)
        (tmp_path / folder / "other.py").write_text(text.splitlines()[0])
    registry = load_registry(SourceTree(tmp_path))
    assert {name: cell.online for name, cell in registry.cells.items()} == {"one": True, "other": False}
    assert {name: task.stops for name, task in registry.tasks.items()} == {"one": [{"when": {}}], "other": ()}


OPEN = {
    "cells": ({"block_size": {"type": "integer", "minimum": 1, "maximum": 8}}, "models.lstm.block_size", [1, 8]),
    "tasks": ({"bound": {"type": "number", "exclusiveMinimum": 0}}, "tasks.copy.bound", [0.5, 3]),
}


@pytest.mark.parametrize("kind", OPEN)
@pytest.mark.parametrize("wrong", [0, "1", None, True, [1]])
def test_options_that_are_numbers_within_bounds_are_checked(registry, kind, wrong):
    options, key, right = OPEN[kind]
    (option,) = options
    definition, label = ("models", "lstm") if kind == "cells" else ("tasks", "copy")
    declared = getattr(registry, kind)
    more = declared[label]._replace(options=declared[label].options | options)
    open_ended = registry._replace(**{kind: declared | {label: more}})
    for value in right:
        unused = {"lstm_peephole": {option: value}} if kind == "cells" else {}
        config = merge(ONLINE, {definition: {label: {option: value}} | unused})
        validate(config, registry=open_ended)
    with pytest.raises(ConfigurationError, match=rf"^config: {key}: expected an? (integer|number) >=? \d"):
        validate(merge(config, {definition: {label: {option: wrong}}}), registry=open_ended)
