"""A record is read only if the config and the code would write it again."""

import copy
import json
from pathlib import Path

import pytest

from records.canonical_json import compute_digest
from records.condition import Condition
from workflow.jobs.records import is_current, read_record
from workflow.jobs.requested import Request


@pytest.fixture
def stored(tmp_path: Path, settings_of, run_of) -> tuple[dict, Request]:
    """A run record of seeds 0 to 2 on disk, and the request for it."""
    settings = settings_of(task="adding", lag=10, model="lstm", gradient="full", seeds=[0, 1, 2], rates=[0.003, 0.01])
    record = run_of(settings)
    path = tmp_path / "seeds=0-2.json"
    path.write_text(json.dumps(record))
    condition, settings = Condition.from_settings(settings), copy.deepcopy(settings)
    return record, Request("run", str(path), condition, settings, record["sources"], (0, 1, 2))


def error_line(request: Request) -> str:
    """Return the message with which a record is refused; it is one line that names the file and how to mend it."""
    with pytest.raises(ValueError, match=r"^run .*; run the workflow again$") as caught:
        read_record(request)
    message = str(caught.value)
    assert "\n" not in message
    assert request.path in message
    return message


def test_a_record_that_fits_is_read_as_it_is(stored) -> None:
    record, request = stored
    assert read_record(request) == record


def test_numbers_are_compared_as_numbers_but_not_with_truth_values(stored) -> None:
    _, request = stored
    request.settings["training"]["clip_norm"] = 1
    read_record(request)
    request.settings["training"]["clip_norm"] = True
    assert "training.clip_norm is 1.0, the config asks for true" in error_line(request)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda s: s["training"].update(batch_size=16), "training.batch_size is 32, the config asks for 16"),
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
    _, request = stored
    change(request.settings)
    assert phrase in error_line(request)


def test_other_sources_are_refused(stored) -> None:
    _, request = stored
    other = request._replace(sources="6" * 64)
    assert "sources is 555555555555, the code now is 666666666666" in error_line(other)


def test_of_a_record_with_more_seeds_the_requested_ones_are_read(stored) -> None:
    _, request = stored
    run = read_record(request._replace(seeds=(0, 2)))
    assert {replica["seed"] for replica in run["replicas"]} == {0, 2}
    assert {point["seed"] for point in run["curves"]} == {0, 2}
    assert len(run["replicas"]) == 4


def test_a_missing_replica_is_refused(stored) -> None:
    record, request = stored
    del record["replicas"][0]
    Path(request.path).write_text(json.dumps(record))
    assert "has 0 replicas of seed 0 at rate 0.003, not 1" in error_line(request)


@pytest.mark.parametrize("text", ["", '{"settings": {', "[1, 2]", '{"settings": {}}', "\xff"])
def test_a_broken_file_is_refused(stored, text: str) -> None:
    _, request = stored
    Path(request.path).write_bytes(text.encode("latin-1"))
    error_line(request)


def test_a_missing_file_is_refused(stored) -> None:
    _, request = stored
    Path(request.path).unlink()
    assert "does not exist" in error_line(request)
    assert is_current(request) is None


def test_a_record_is_current_by_the_digests_of_its_provenance_or_its_own(stored) -> None:
    _, request = stored
    assert is_current(request) is None
    provenance = Path(request.path).with_suffix(".provenance.json")
    provenance.write_text("{}")
    assert is_current(request)
    digests = {"settings": compute_digest(request.settings), "sources": request.sources}
    for changed, current in (({}, True), ({"settings": "0"}, False), ({"sources": "0"}, False)):
        provenance.write_text(json.dumps(digests | changed))
        assert is_current(request) is current


@pytest.mark.parametrize("part", ["settings", "sources", "kernel", "chance", "replicas", "curves"])
def test_a_record_that_lacks_a_part_is_refused(stored, part: str) -> None:
    record, request = stored
    Path(request.path).write_text(json.dumps({name: value for name, value in record.items() if name != part}))
    assert f"lacks {part}" in error_line(request)
