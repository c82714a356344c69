"""A measurement that goes on from a state makes the same bytes, and while it measures signals and limits still hold."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.settings import job_settings
from tests.training.test_keeper import stopping
from tests.training.test_state import Tape
from training import dissection, measurement
from training.checkpoint import packed, unpacked
from training.cohort import Cohort, Replica
from training.keeper import FileKeeper, keeping
from training.loop import Standing
from training.measurement import measure_condition
from training.snapshots import Album
from training.state import Keeper, State

FLOWS = {"full": ["block_input", "cell", "gates"], "truncated_1997": ["cell"]}
UPDATES = 12


def asked(**changes: Any) -> dict[str, Any]:
    given = {"seeds": [3, 0, 4], "learning_rates": [0.03], "sequences": 8 * UPDATES, "evaluate_every": 3}
    given |= {"task": "adding", "lag": 2}
    return job_settings(**given | changes) | {"measurement": {"sequences": 2, "evaluations": 3, "flows": FLOWS}}


CASES = {
    "two of three solve": asked(),
    "all end early": asked(learning_rates=[0.1]),
    "all diverge": asked(learning_rates=[1e200], clip_norm=None),
    "fused kernel": asked(dtype="float32", lag=8, evaluate_every=5),
}
CASES["fused kernel"]["training"]["kernel"] = "cpu"


@pytest.fixture(autouse=True)
def easy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let some replicas solve the task."""
    monkeypatch.setattr("tasks.task.Task.success_accuracy", 0.06)


def measure(about: dict[str, Any], keeper: Keeper | None) -> tuple[str, list[int]]:
    """Return a measurement as text, and the updates that were reported."""
    updates: list[int] = []

    def report(standing: Standing) -> None:
        updates.append(standing.update)

    return json.dumps(measure_condition(about, report, keeper=keeper), allow_nan=False), updates


@pytest.mark.parametrize("name", CASES)
def test_a_resumed_measurement_has_the_same_bytes_wherever_its_training_was_cut(name: str) -> None:
    whole, tape = measure(CASES[name], None)[0], Tape()
    assert measure(CASES[name], tape)[0] == whole
    places = [unpacked(state).rest["update"] for state in tape.states]
    trained = places[-1]  # there is a state after every update; then the last is offered again
    for cut in {0, 1, trained // 2, trained - 1, trained, len(places) - 1}:
        again = Tape(tape.states[cut])
        record, updates = measure(CASES[name], again)
        assert record == whole
        assert updates == list(range(places[cut], trained + 1))
        assert again.states == tape.states[cut + 1 :] if cut < trained - 1 else set(again.states) == {tape.states[cut]}


def test_the_cases_are_those_that_they_are_named_after() -> None:
    made = {name: json.loads(measure(about, None)[0])["snapshots"] for name, about in CASES.items()}
    ends = {name: [(row["solved"], row["update"]) for row in rows[2::3]] for name, rows in made.items()}
    assert ends["two of three solve"] == [(False, 12), (True, 6), (True, 9)]
    assert ends["all end early"] == [(True, 3), (True, 6), (True, 6)]
    assert ends["all diverge"] == [(False, 0)] * 3


def test_a_state_with_another_album_gives_other_numbers() -> None:
    """The test above would notice, also if only the moment before the middle were another."""
    tape, start = Tape(), Tape()
    whole = measure(CASES["fused kernel"], tape)[0]
    state = unpacked(tape.states[8])
    pages = {name: page.copy() for name, page in state.arrays.items() if name.startswith("album.")}
    assert [page.shape[0] for page in pages.values()] == [2] * 3
    for page in pages.values():
        page[1] += 0.01
    start.begin = packed(State({**state.arrays, **pages}, state.rest))
    assert measure(CASES["fused kernel"], start)[0] != whole


def test_networks_that_are_solved_as_drawn_are_measured() -> None:
    about, tape = asked(task="temporal_order", lag=8), Tape()
    assert measure(about, tape) == measure(about, None)
    assert tape.states == []


def test_the_keeper_is_asked_at_every_step_that_the_error_goes_back() -> None:
    tape = Tape()
    record = json.loads(measure(CASES["all end early"], tape)[0])
    assert len(tape.states) >= 6 + record["u"][-1]


def test_a_snapshot_is_no_view_of_weights_that_may_change() -> None:
    replica, weights = Replica(0, 0.1), torch.zeros(1, 3)
    album = Album([replica])
    album.observe(0, Cohort([replica], weights, {}, torch.zeros(1)))
    weights += 1
    assert not album.pages[0][0].weights.any()


Stop = Callable[[FileKeeper], None]


def on_signal(kept: FileKeeper) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def on_limit(kept: FileKeeper) -> None:
    kept.end = 0.0


STOPS: dict[str, tuple[str, Stop]] = {"SIGTERM": ("SIGTERM", on_signal), "limit": ("its time limit", on_limit)}


@pytest.mark.parametrize("how", STOPS)
@pytest.mark.parametrize("place", ["go_forward", "align", "step_back"])
def test_while_it_measures_it_can_be_stopped_and_goes_on_without_training(
    place: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about, folder, calls = CASES["two of three solve"], tmp_path / "key", list[str]()
    whole = measure(about, None)[0]
    module: Any = dissection if place == "step_back" else measurement
    original, (name, stop) = getattr(module, place), STOPS[how]

    def called(*given: Any, **named: Any) -> Any:
        calls.append(place)
        if len(calls) == 1:
            stop(kept)
        return original(*given, **named)

    monkeypatch.setattr(module, place, called)
    line = f"^stopped by {name} after update 12 of 12; the next start goes on from there$"
    with monkeypatch.context() as patch, stopping(folder, line) as kept:
        if place == "go_forward":
            patch.setattr(measurement, "align", pytest.fail)  # which takes long
        measure(about, kept)
    assert len(calls) == 1
    said: list[str] = []
    with keeping(folder, say=said.append, every=1000) as kept:
        record, updates = measure(about, kept)
    assert said == ["going on after update 12 of 12, restart 1"]
    assert (record, updates) == (whole, [12])
    assert not folder.exists()


def test_a_signal_while_it_trains_keeps_the_album(tmp_path: Path) -> None:
    about = CASES["two of three solve"]
    whole, updates = measure(about, None)

    def report(standing: Standing) -> None:
        if standing.update == 7:
            os.kill(os.getpid(), signal.SIGTERM)

    with stopping(tmp_path / "key", "^stopped by SIGTERM after update 7 of 12; the next start") as kept:
        measure_condition(about, report, keeper=kept)
    with keeping(tmp_path / "key", say=print, every=1000) as kept:
        assert measure(about, kept) == (whole, updates[7:])
