"""Blocks of the grid with seeds and learning rates of their own."""

from pathlib import Path

import pytest

from records.condition import Condition
from tests.settings import TINY
from workflow.experiment.errors import ConfigurationError
from workflow.experiment.experiment import Experiment
from workflow.experiment.reading import merge
from workflow.jobs.requested import digest_requests, list_requests

ROOT = Path(__file__).resolve().parents[2]
RNN = {"devices": ["cpu"], "tasks": ["copy"], "models": ["rnn"], "gradients": ["full"]}
LSTM = RNN | {"models": ["lstm"]}


def experiment(*blocks: dict) -> Experiment:
    return Experiment(merge(TINY, {"grid": list(blocks)}), root=ROOT)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_block_runs_its_own_seeds_and_rates_and_another_the_experiments():
    mixed = experiment(RNN | {"seeds": [7, 4], "learning_rates": [0.5, 0.25]}, LSTM)
    ends = {request.path.partition("lag=11/")[2] for request in list_requests(mixed, "run")}
    assert ends == {"rnn/full/seeds=4_7.json", "lstm/full/seeds=0-2.json"}
    rnn, lstm = (Condition("cpu", "copy", 11, model, "full") for model in ("rnn", "lstm"))
    assert mixed.settings(rnn, [4, 7])["learning_rates"] == [0.25, 0.5]
    assert mixed.settings(lstm, [0])["learning_rates"] == [0.01]
    assert mixed.settings(lstm, [0]) == experiment(LSTM).settings(lstm, [0])
    (record,) = (request for request in list_requests(mixed, "run") if request.condition.model == "rnn")
    assert record.seeds == (4, 7)
    assert record.settings["learning_rates"] == [0.25, 0.5]


def digest(block):
    return digest_requests(list_requests(experiment(block), "run"))


def test_tables_are_made_again_when_a_block_changes_its_rates_or_seeds():
    digests = {digest(RNN | own) for own in ({}, {"seeds": [0, 1]}, {"learning_rates": [0.5]})}
    assert len(digests) == 3
    assert digest(RNN | {"seeds": [2, 1, 0], "learning_rates": [0.01]}) == digest(RNN)


def test_seeds_of_a_block_are_covered_by_the_records_that_exist(tmp_path):
    folder = tmp_path / "results/tiny/runs/cpu/copy/lag=11/rnn/full"
    folder.mkdir(parents=True)
    (folder / "seeds=0-2.json").touch()
    added = experiment(RNN | {"seeds": [0, 1, 2, 9]})
    assert [request.path.rpartition("=")[2] for request in list_requests(added, "run")] == ["0-2.json", "9.json"]


@pytest.mark.parametrize("own", [{"seeds": [2, 1, 0]}, {"learning_rates": [0.01]}, {"seeds": [5], "tasks": ["adding"]}])
def test_blocks_that_agree_or_share_no_condition_stand_together(own):
    assert experiment(RNN, RNN | own).conditions


@pytest.mark.parametrize(("field", "own"), [("seeds", [0, 1]), ("learning_rates", [0.01, 0.1])])
def test_two_blocks_that_run_a_condition_differently_are_refused_in_one_line(field, own):
    with pytest.raises(ConfigurationError) as caught:
        experiment(LSTM, RNN | {"models": ["lstm_peephole", "rnn"]}, RNN | {field: own})
    line = str(caught.value)
    assert line.startswith(f"config: grid[2].{field}: ")
    assert "as grid[1] runs the condition (cpu, copy, rnn, full) of both blocks" in line
    assert line.endswith(f"came {own}")
    assert line.isprintable()


@pytest.mark.parametrize(("own", "key"), [({"seeds": []}, "seeds"), ({"learning_rates": [0]}, "learning_rates[0]")])
def test_malformed_seeds_and_rates_of_a_block_are_refused(own, key):
    with pytest.raises(ConfigurationError, match=rf"^config: grid\[0\]\.{key.replace('[', chr(92) + '[')}: expected"):
        experiment(RNN | own)
