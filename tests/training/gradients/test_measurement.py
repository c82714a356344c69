"""A condition's measurement: it changes no training, is reproducible to the byte, and its numbers agree."""

import json
from typing import Any

import pytest
import torch

from models.gradient_flow import GradientFlow
from tasks.task import Batch
from tests.settings import job_settings
from training.condition import train_condition
from training.evaluation import to_tensors
from training.gradients.measurement import measure_condition, pick_evenly, pick_moments
from training.protocol import train
from training.protocols.minibatch import Minibatch
from training.replica import Replica, TrainingProgress
from training.setup import prepare_condition

FLOWS = {"full": ["block_input", "cell", "gates"], "truncated_1997": ["cell"], "cell_and_gates": ["cell", "gates"]}


def ignore(progress: TrainingProgress) -> None:
    """Do nothing."""


def measuring_settings(**changes: Any) -> dict[str, Any]:
    given = {"seeds": [3, 0], "learning_rates": [0.02], "dtype": "float32", "sequences": 200} | changes
    return job_settings(**given) | {"measurement": {"sequences": 6, "evaluations": 3, "flows": FLOWS}}


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return measure_condition(measuring_settings(), ignore)


def values(record: dict[str, Any], part: str, **names: str) -> list[dict[str, Any]]:
    return [row for row in record[part] if all(row[name] == value for name, value in names.items())]


def test_the_same_settings_make_the_same_bytes(record: dict[str, Any]) -> None:
    again = json.dumps(measure_condition(measuring_settings(), ignore), allow_nan=False)
    assert again == json.dumps(record, allow_nan=False)
    assert record["settings"] == measuring_settings()


def test_measuring_changes_no_training() -> None:
    """The weights that are measured are those of the run record, bit for bit."""
    given = measuring_settings()
    plain, watched = prepare_condition(given), prepare_condition(given)
    for replica in watched.replicas:
        replica.snapshots = []
    for setup in (plain, watched):
        train(Minibatch(setup), ignore)
    for before, after, initial in zip(plain.replicas, watched.replicas, plain.weights, strict=True):
        assert before.curve == after.curve
        assert before.best_weights is not None
        moments = {snapshot.moment: snapshot.weights for snapshot in pick_moments(after, budget=25)}
        assert torch.equal(before.best_weights, moments["solved"])
        assert torch.equal(initial, moments["initial"])
        assert [update for update, _ in after.snapshots or ()] == [point["update"] for point in before.curve]
    without = {name: value for name, value in given.items() if name != "measurement"}
    rows = {row["seed"]: row["best_update"] for row in train_condition(without, ignore)["replicas"]}
    assert rows == {
        row["seed"]: row["update"]
        for row in measure_condition(given, ignore)["snapshots"]
        if row["snapshot"] == "solved"
    }


def test_moments_are_those_that_are_documented() -> None:
    snapshots = [(update, torch.tensor([float(update)])) for update in (0, 10, 20, 30, 40)]
    solved = Replica(0, 0.1, updates=40, updates_to_solve=40, best_update=40, snapshots=snapshots)
    assert {at.moment: at.update for at in pick_moments(solved, budget=1000)} == {
        "initial": 0,
        "half_way": 20,
        "solved": 40,
    }
    unsolved = Replica(0, 0.1, updates=40, best_update=30, snapshots=snapshots)
    assert {at.moment: at.update for at in pick_moments(unsolved, budget=50)} == {
        "initial": 0,
        "half_way": 20,  # 25 lies between two: the earlier one
        "solved": 30,
    }
    assert [at.update for at in pick_evenly(solved, count=3)] == [0, 20, 40]
    assert [at.update for at in pick_evenly(solved, count=9)] == [0, 10, 20, 30, 40]


def test_a_snapshot_is_solved_if_it_solves_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.task.Task.success_accuracy", 0.15)  # chance is 0.08
    given = measuring_settings(task="adding", lag=1, sequences=1600, learning_rates=[0.03], seeds=[0])
    solved = {row["snapshot"]: row["solved"] for row in measure_condition(given, ignore)["snapshots"]}
    assert solved == {"initial": False, "half_way": False, "solved": True}
    monkeypatch.setattr("tasks.task.Task.success_accuracy", 1.1)
    assert not any(row["solved"] for row in measure_condition(given, ignore)["snapshots"])


def test_the_subsets_hold_the_full_and_the_truncated_flow(record: dict[str, Any]) -> None:
    for label, paths in {
        "full": "cell+gates+block_input",
        "truncated_1997": "cell",
        "cell_and_gates": "cell+gates",
    }.items():
        (flow,) = values(record, "flows", flow=label, quantity="c")
        (subset,) = values(record, "attribution", kind="subset", paths=paths)
        assert [norms[1:] for norms in flow["norm"]] == subset["norm"]
    (whole,) = values(record, "attribution", kind="subset", paths="cell+gates+block_input")
    assert {share for shares in whole["share"] for share in shares} == {1.0}
    (cell,) = values(record, "attribution", kind="subset", paths="cell")
    assert cell["share"] != whole["share"]


def test_shares_of_all_paths_add_up_to_one(record: dict[str, Any]) -> None:
    together = [values(record, "attribution", kind="shapley")]
    together += [values(record, "paths", quantity=quantity) for quantity in ("eps_h", "eps_c", "c")]
    for rows in together:
        assert rows
        shares = torch.tensor([row["share"] for row in rows], dtype=torch.float64)
        assert shares.shape[1:] == (6, len(record["u"]) - 1)
        torch.testing.assert_close(shares.sum(dim=0), torch.ones(shares.shape[1:]).double(), rtol=1e-4, atol=0)


def test_every_weight_matrix_has_its_terms_under_every_flow(record: dict[str, Any]) -> None:
    for label in FLOWS:
        quantities = {row["quantity"] for row in values(record, "flows", flow=label)}
        assert quantities == {"h", "c", *(f"{kind}_{gate}" for kind in "WU" for gate in "ifzo")}
    assert {len(norms) for row in record["flows"] for norms in row["norm"]} == {len(record["u"])}
    (truncated,) = values(record, "flows", flow="truncated_1997", quantity="h")
    assert all(norms[0] > 0 and not any(norms[1:]) for norms in truncated["norm"])  # the error stays in the cell


def test_alignment_compares_the_truncated_with_the_full_gradient(record: dict[str, Any]) -> None:
    rows = record["alignment"]
    assert {row["snapshot"] for row in rows} == {"initial", "half_way", "solved", "evaluation"}
    assert {row["quantity"] for row in rows} == {"all", *(f"{kind}_{gate}" for kind in "WUb" for gate in "ifzo")}
    assert all(-1 <= row["cosine"] <= 1 and row["norm_ratio"] > 0 for row in rows)
    assert len({row["cosine"] for row in rows}) > len(rows) / 2


def test_alignment_is_that_of_the_training_loss_s_gradients() -> None:
    """Against what the kernel and autograd give, at the initial weights, on the ten recall steps of copy."""
    given = measuring_settings(task="copy", lag=11, seeds=[0], dtype="float64", sequences=16)
    setup = prepare_condition(given)
    weights, (batch,) = setup.weights, setup.validation
    first = Batch(batch.inputs[:, :6], batch.targets[:, :6], batch.starts[:6])
    data, network = to_tensors([first], rows=[0], like=weights), setup.network
    gradients = []
    for paths in ({"cell"}, {"cell", "gates", "block_input"}):
        leaf = weights.clone().requires_grad_()
        outputs = network.outputs_of(
            leaf,
            inputs=data.inputs,
            starts=data.starts,
            first_target=setup.task.first_target,
            flow=GradientFlow(frozenset(paths)),
        )
        (gradient,) = torch.autograd.grad(setup.task.loss(outputs, data.targets).sum(), leaf)
        of_symbol = network.by_symbol(gradient)
        gradients.append({symbol: of_symbol[symbol].flatten() for symbol in network.cell.shapes})
    rows = [row for row in measure_condition(given, ignore)["alignment"] if row["snapshot"] == "initial"]
    assert len(rows) == len(network.cell.shapes) + 1
    for row in rows:
        symbols = network.cell.shapes if row["quantity"] == "all" else [row["quantity"]]
        truncated, full = (torch.cat([gradient[symbol] for symbol in symbols]) for gradient in gradients)
        assert row["norm"] == pytest.approx(float(full.norm()), rel=1e-5)
        assert row["norm_ratio"] == pytest.approx(float(truncated.norm() / full.norm()), rel=1e-5)
        assert row["cosine"] == pytest.approx(float(torch.cosine_similarity(truncated, full, dim=0)), rel=1e-5)


def test_a_cell_without_a_cell_path_has_no_alignment() -> None:
    given = measuring_settings(cell="rnn", seeds=[0])
    given["measurement"]["flows"] = {"full": ["recurrent"]}
    record = measure_condition(given, ignore)
    assert record["alignment"] == []
    assert {row["quantity"] for row in record["flows"]} == {"h", "W", "U"}
    (path,) = record["paths"]
    assert (path["path"], path["quantity"]) == ("recurrent", "eps_h")
    assert {row["quantity"] for row in record["attribution"]} == {"h"}
