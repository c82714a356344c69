"""A measurement that goes on from a state makes the same bytes, and while it measures signals and limits still hold."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.settings import FLOWS, job_settings
from tests.training.checkpointers import MemoryCheckpointer, expect_stop
from training.checkpoint import pack, unpack
from training.checkpointing import FileCheckpointer, open_checkpointer
from training.gradients import decomposition, measurement
from training.gradients.measurement import measure_condition
from training.replica import Checkpointer, TrainingProgress

UPDATES = 12


def measuring_settings(**changes: Any) -> dict[str, Any]:
    given = {"seeds": [3, 0, 4], "learning_rates": [0.03], "sequences": 8 * UPDATES, "evaluate_every": 3}
    given |= {"task": "adding", "lag": 2}
    return job_settings(**given | changes) | {"measurement": {"sequences": 2, "evaluations": 3, "flows": FLOWS}}


CASES = {
    "two of three solve": measuring_settings(),
    "all end early": measuring_settings(learning_rates=[0.1]),
    "all diverge": measuring_settings(learning_rates=[1e200], clip_norm=None),
    "fused kernel": measuring_settings(dtype="float32", lag=8, evaluate_every=5),
}
CASES["fused kernel"]["training"]["kernel"] = "cpu"


@pytest.fixture(autouse=True)
def easy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let some replicas solve the task."""
    monkeypatch.setattr("tasks.task.Task.success_accuracy", 0.06)


def measure(settings: dict[str, Any], checkpointer: Checkpointer | None) -> tuple[str, list[int]]:
    """Return a measurement as text, and the updates that were reported."""
    updates: list[int] = []

    def report(progress: TrainingProgress) -> None:
        updates.append(progress.update)

    return json.dumps(measure_condition(settings, report, checkpointer=checkpointer), allow_nan=False), updates


@pytest.mark.parametrize("name", CASES)
def test_a_resumed_measurement_has_the_same_bytes_wherever_its_training_was_cut(name: str) -> None:
    whole, saved = measure(CASES[name], None)[0], MemoryCheckpointer()
    assert measure(CASES[name], saved)[0] == whole
    places = [unpack(state)["update"] for state in saved.states]
    trained = places[-1]  # there is a state after every update; then the last is offered again
    for cut in {0, 1, trained // 2, trained - 1, trained, len(places) - 1}:
        again = MemoryCheckpointer(saved.states[cut])
        record, updates = measure(CASES[name], again)
        assert record == whole
        assert updates == list(range(places[cut], trained + 1))
        assert (
            again.states == saved.states[cut + 1 :] if cut < trained - 1 else set(again.states) == {saved.states[cut]}
        )


def test_the_cases_are_those_that_they_are_named_after() -> None:
    snapshots = {name: json.loads(measure(settings, None)[0])["snapshots"] for name, settings in CASES.items()}
    ends = {name: [(row["solved"], row["update"]) for row in rows[2::3]] for name, rows in snapshots.items()}
    assert ends["two of three solve"] == [(False, 12), (True, 6), (True, 9)]
    assert ends["all end early"] == [(True, 3), (True, 6), (True, 6)]
    assert ends["all diverge"] == [(False, 0)] * 3


def test_a_state_with_other_snapshots_gives_other_numbers() -> None:
    """The test above would notice, also if only the moment before the middle were another."""
    saved, start = MemoryCheckpointer(), MemoryCheckpointer()
    whole = measure(CASES["fused kernel"], saved)[0]
    state = unpack(saved.states[8])
    stored = [replica["snapshots"] for replica in state["replicas"]]
    assert [[update for update, _ in snapshots] for snapshots in stored] == [[0, 5]] * 3
    for snapshots in stored:
        snapshots[1][1].add_(0.01)
    start.begin = pack(state)
    assert measure(CASES["fused kernel"], start)[0] != whole


def test_networks_that_are_solved_initially_are_measured() -> None:
    settings, saved = measuring_settings(task="temporal_order", lag=8), MemoryCheckpointer()
    assert measure(settings, saved) == measure(settings, None)
    assert {unpack(state)["update"] for state in saved.states} == {0}


def test_the_checkpointer_is_offered_at_every_step_that_the_error_goes_back() -> None:
    saved = MemoryCheckpointer()
    record = json.loads(measure(CASES["all end early"], saved)[0])
    assert len(saved.states) >= 6 + record["u"][-1]


Stop = Callable[[FileCheckpointer], None]


def on_signal(checkpointer: FileCheckpointer) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def on_limit(checkpointer: FileCheckpointer) -> None:
    checkpointer.end = 0.0


STOPS: dict[str, tuple[str, Stop]] = {"SIGTERM": ("SIGTERM", on_signal), "limit": ("its time limit", on_limit)}


@pytest.mark.parametrize("how", STOPS)
@pytest.mark.parametrize("place", ["run_network", "compare_flows", "step_back"])
def test_while_it_measures_it_can_be_stopped_and_goes_on_without_training(
    place: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, folder, calls = CASES["two of three solve"], tmp_path / "key", list[str]()
    whole = measure(settings, None)[0]
    module: Any = decomposition if place == "step_back" else measurement
    original, (name, stop) = getattr(module, place), STOPS[how]

    def called(*given: Any, **named: Any) -> Any:
        calls.append(place)
        if len(calls) == 1:
            stop(checkpointer)
        return original(*given, **named)

    monkeypatch.setattr(module, place, called)
    line = f"^stopped by {name} after update 12 of 12; the next start continues from there$"
    with monkeypatch.context() as patch, expect_stop(folder, line) as checkpointer:
        if place == "run_network":
            patch.setattr(measurement, "compare_flows", pytest.fail)  # which takes long
        measure(settings, checkpointer)
    assert len(calls) == 1
    logged: list[str] = []
    with open_checkpointer(folder, log=logged.append, every=1000) as checkpointer:
        record, updates = measure(settings, checkpointer)
    assert logged == ["continuing after update 12 of 12, restart 1"]
    assert (record, updates) == (whole, [12])
    assert not folder.exists()


def test_a_signal_while_it_trains_keeps_the_snapshots(tmp_path: Path) -> None:
    settings = CASES["two of three solve"]
    whole, updates = measure(settings, None)

    def report(progress: TrainingProgress) -> None:
        if progress.update == 7:
            os.kill(os.getpid(), signal.SIGTERM)

    with expect_stop(tmp_path / "key", "^stopped by SIGTERM after update 7 of 12; the next start") as checkpointer:
        measure_condition(settings, report, checkpointer=checkpointer)
    with open_checkpointer(tmp_path / "key", log=print, every=1000) as checkpointer:
        assert measure(settings, checkpointer) == (whole, updates[7:])
