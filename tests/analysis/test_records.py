"""A run record is read only if the config and the code would make it again."""

import copy
import json
from pathlib import Path

import pytest

from workflow.jobs.run_records import read_runs


@pytest.fixture
def stored(tmp_path: Path, settings_of, run_of):
    """A run record of seeds 0 to 2 on disk, its path, and what the config expects."""
    settings = settings_of(task="adding", lag=10, model="lstm", gradient="full", seeds=[0, 1, 2], rates=[0.003, 0.01])
    record = run_of(settings)
    path = tmp_path / "seeds=0-2.json"
    path.write_text(json.dumps(record))
    expected = {str(path): {"settings": copy.deepcopy(settings), "sources": record["sources"], "seeds": [0, 1, 2]}}
    return path, record, expected


def refusal(path: Path, expected: dict) -> str:
    """Return the message with which a record is refused; it is one line that names the file and how to mend it."""
    with pytest.raises(ValueError, match=r"^run ") as caught:
        read_runs([path], expected=expected)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_a_record_that_fits_is_read_as_it_is(stored) -> None:
    path, record, expected = stored
    assert read_runs([path], expected=expected) == [record]


def test_numbers_are_compared_as_numbers_but_not_with_truth_values(stored) -> None:
    path, _, expected = stored
    settings = expected[str(path)]["settings"]
    settings["training"]["clip_norm"] = 1
    assert len(read_runs([path], expected=expected)) == 1
    settings["training"]["clip_norm"] = True
    assert "training.clip_norm is 1.0, the config asks for true" in refusal(path, expected)


def test_a_changed_setting_is_named_with_both_values(stored) -> None:
    path, _, expected = stored
    expected[str(path)]["settings"]["training"]["batch_size"] = 16
    message = refusal(path, expected)
    assert "training.batch_size is 32, the config asks for 16" in message
    assert "delete the file or rerun with --rerun-triggers params" in message


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda s: s["learning_rates"].append(0.1), "learning_rates is [0.003, 0.01], the config asks for"),
        (lambda s: s["model"]["options"].pop("peepholes"), "model.options.peepholes is false, the config has no such"),
        (lambda s: s["gradient"].update(k2=5), "gradient.k2 is null, the config asks for 5"),
        (
            lambda s: s["task"]["options"].update(variant="x"),
            'task.options.variant is missing, the config asks for "x"',
        ),
        (lambda s: s["optimiser"].update(beta1=0, beta2=0), "(and 1 more)"),
    ],
)
def test_every_kind_of_difference_is_refused(stored, change, phrase: str) -> None:
    path, _, expected = stored
    change(expected[str(path)]["settings"])
    assert phrase in refusal(path, expected)


def test_other_sources_are_refused(stored) -> None:
    path, _, expected = stored
    expected[str(path)]["sources"] = "6" * 64
    message = refusal(path, expected)
    assert "sources is 555555555555, the code now is 666666666666" in message
    assert "delete the file" in message


def test_a_record_may_cover_more_seeds_than_wanted(stored) -> None:
    path, _, expected = stored
    expected[str(path)]["seeds"] = [2, 0]
    expected[str(path)]["settings"]["seeds"] = [0, 2]
    (run,) = read_runs([path], expected=expected)
    assert {replica["seed"] for replica in run["replicas"]} == {0, 2}
    assert {point["seed"] for point in run["curves"]} == {0, 2}
    assert len(run["replicas"]) == 4


def test_a_missing_seed_is_refused(stored) -> None:
    path, _, expected = stored
    expected[str(path)]["seeds"] = [0, 7]
    assert "has no seed 7, which the config asks for" in refusal(path, expected)


def test_a_missing_replica_is_refused(stored) -> None:
    path, record, expected = stored
    del record["replicas"][0]
    path.write_text(json.dumps(record))
    assert "has 0 replicas of seed 0 at rate 0.003, not 1" in refusal(path, expected)


@pytest.mark.parametrize("text", ["", '{"settings": {', "[1, 2]", '{"settings": {}}', "\xff"])
def test_a_broken_file_is_refused(stored, text: str) -> None:
    path, _, expected = stored
    path.write_bytes(text.encode("latin-1"))
    assert "delete the file" in refusal(path, expected)


def test_a_missing_file_is_refused(stored) -> None:
    path, _, expected = stored
    path.unlink()
    assert "does not exist" in refusal(path, expected)


@pytest.mark.parametrize(
    "part", ["settings", "sources", "kernel", "sequence_length", "success_accuracy", "chance", "replicas", "curves"]
)
def test_a_record_that_lacks_a_part_is_refused(stored, part: str) -> None:
    path, record, expected = stored
    path.write_text(json.dumps({name: value for name, value in record.items() if name != part}))
    assert f"lacks {part}" in refusal(path, expected)
