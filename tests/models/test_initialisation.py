"""Initial weights and the making of cells: distributions, determinism, and what is refused."""

import numpy as np
import pytest
import torch

from models.cell import cell_names, load_cell
from models.kernels import Kernel, reference
from models.lstm import VANILLA, LSTMCell
from models.network import Network
from models.rnn import RNNCell
from tests.models.cases import CELLS, Options
from tests.models.experiment import make_cell

REFERENCE = Kernel("reference", reference.unroll, reference.readout)


def lstm(
    *, forget_bias: float | str = 1.0, input_bias: float = 0.0, peepholes: bool = True, **switches: object
) -> LSTMCell:
    """Make an LSTM of 400 cells."""
    return LSTMCell(
        features=3,
        hidden_size=400,
        peepholes=peepholes,
        **(VANILLA | switches),
        forget_bias=forget_bias,
        input_bias=input_bias,
    )


@pytest.mark.parametrize("sequence_length", [3, 50, 1000])
def test_chrono_biases_spread_over_the_lags(sequence_length: int) -> None:
    """Tallec & Ollivier 2018: b_f = log U[1, Tmax - 1], b_i = -b_f, so that exp(b_f) is uniform on [1, Tmax - 1]."""
    sampled = lstm(forget_bias="chrono").initialise(np.random.default_rng(1), sequence_length=sequence_length)
    spread = np.exp(sampled["b_f"])
    assert np.array_equal(sampled["b_i"], -sampled["b_f"])
    assert spread.min() >= 1
    assert spread.max() <= sequence_length - 1
    quartiles = np.quantile(spread, [0.25, 0.5, 0.75])
    expected = 1 + (sequence_length - 2) * np.array([0.25, 0.5, 0.75])
    assert (np.abs(quartiles - expected) < 0.1 * (sequence_length - 2)).all()  # 4 standard errors of 400 draws
    assert (sampled["b_z"] == 0).all()
    assert (sampled["b_o"] == 0).all()


def test_biases_are_the_given_numbers() -> None:
    sampled = lstm(forget_bias=2.5, input_bias=-3.0).initialise(np.random.default_rng(1), sequence_length=10)
    biases = {name: set(value) for name, value in sampled.items() if name.startswith("b_")}
    assert biases == {"b_i": {-3.0}, "b_f": {2.5}, "b_z": {0.0}, "b_o": {0.0}}
    without = lstm(forget_gate=False, input_bias=-3.0).initialise(np.random.default_rng(1), sequence_length=10)
    assert set(without["b_i"]) == {-3.0}
    assert "b_f" not in without


def test_weights_fill_their_interval() -> None:
    """U[-k, k], k = 1 / sqrt(H): within the bounds, with variance k^2 / 3 up to about 3 standard errors."""
    cells = [lstm(), RNNCell(features=3, hidden_size=400, initialisation="uniform")]
    for cell in cells:
        for name, value in cell.initialise(np.random.default_rng(2), sequence_length=10).items():
            if not name.startswith("b"):
                assert np.abs(value).max() <= 400**-0.5
                assert value.var() * 3 * 400 == pytest.approx(1, abs=0.1 if name[0] in "WU" else 0.15), name


@pytest.mark.parametrize("hidden_size", [1, 2, 7, 32])
def test_orthogonal_recurrent_matrix(hidden_size: int) -> None:
    cell = RNNCell(features=2, hidden_size=hidden_size, initialisation="orthogonal")
    sampled = cell.initialise(np.random.default_rng(3), sequence_length=10)
    assert sampled["U"].shape == (hidden_size, hidden_size)
    np.testing.assert_allclose(sampled["U"].T @ sampled["U"], np.eye(hidden_size), atol=1e-13)
    assert (sampled["b"] == 0).all()


def test_orthogonal_matrices_are_spread_over_the_whole_group() -> None:
    """Haar measure: every entry has mean 0 and variance 1 / H; both signs of the determinant are as frequent."""
    cell, rng = RNNCell(features=1, hidden_size=3, initialisation="orthogonal"), np.random.default_rng(4)
    sampled = np.stack([cell.initialise(rng, sequence_length=10)["U"] for _ in range(600)])
    assert np.abs(sampled.mean(axis=0)).max() < 4 * (1 / 3 / 600) ** 0.5
    assert np.abs((sampled**2).mean(axis=0) - 1 / 3).max() < 4 * (4 / 45 / 600) ** 0.5
    assert (np.linalg.det(sampled) > 0).mean() == pytest.approx(0.5, abs=4 * 0.5 / 600**0.5)


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_the_same_stream_gives_the_same_weights(options: Options) -> None:
    cell = make_cell(options, features=3, hidden_size=5)
    first, again, other = (cell.initialise(np.random.default_rng(seed), sequence_length=9) for seed in (1, 1, 2))
    for name in cell.shapes:
        assert np.array_equal(first[name], again[name])
        assert name.startswith("b") or not np.array_equal(first[name], other[name])


def test_orthogonal_weights_come_from_the_stream_alone() -> None:
    cell = RNNCell(features=3, hidden_size=5, initialisation="orthogonal")
    sampled = [cell.initialise(np.random.default_rng(7), sequence_length=9) for _ in range(2)]
    for name in cell.shapes:
        assert np.array_equal(sampled[0][name], sampled[1][name])


def test_cells_are_listed_from_the_disk() -> None:
    assert {"lstm", "rnn"} <= set(cell_names())
    assert isinstance(load_cell("rnn", features=1, hidden_size=2, options={"initialisation": "uniform"}), RNNCell)


def test_unknown_names_and_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown cell 'lsmt'; known: .*lstm.*rnn"):
        load_cell("lsmt", features=1, hidden_size=2, options={})
    with pytest.raises(ValueError, match="cell 'rnn' takes the options initialisation; came: peepholes"):
        load_cell("rnn", features=1, hidden_size=2, options={"peepholes": True})
    with pytest.raises(
        ValueError, match="unknown initialisation 'orthogonl' of cell 'rnn'; known: uniform, orthogonal"
    ):
        RNNCell(features=1, hidden_size=2, initialisation="orthogonl")
    with pytest.raises(ValueError, match="must be a number or chrono; came: 'crono'"):
        lstm(forget_bias="crono")


def test_chrono_needs_a_forget_gate_and_shifts_the_input_bias() -> None:
    with pytest.raises(ValueError, match="chrono needs a forget gate"):
        lstm(forget_bias="chrono", forget_gate=False)
    sampled = lstm(forget_bias="chrono", input_bias=-1.0).initialise(np.random.default_rng(0), sequence_length=50)
    np.testing.assert_allclose(sampled["b_i"], -1.0 - sampled["b_f"], rtol=1e-15)


@pytest.mark.parametrize("forget_bias", [1.0, "chrono"])
def test_with_and_without_peepholes_the_other_weights_are_the_same(forget_bias: float | str) -> None:
    sampled = []
    for peepholes in (False, True):
        network = Network(lstm(forget_bias=forget_bias, peepholes=peepholes), outputs=3, kernel=REFERENCE)
        weights = network.initialise(np.random.default_rng(5), sequence_length=20)
        sampled.append(network.by_symbol(torch.from_numpy(weights)[None]))
    assert set(sampled[1]) - set(sampled[0]) == {"p_i", "p_f", "p_o"}
    assert all(torch.equal(value, sampled[1][symbol]) for symbol, value in sampled[0].items())


def test_coupled_gates_start_as_without_coupling() -> None:
    """f = 1 - sigmoid(b_i) = sigmoid(b_f), of numbers and of chrono."""
    for forget_bias in (1.5, "chrono"):
        sampled = [
            lstm(forget_bias=forget_bias, coupled_gates=coupled).initialise(
                np.random.default_rng(0), sequence_length=50
            )
            for coupled in (False, True)
        ]
        assert "b_f" not in sampled[1]
        spread = (np.sort(1 / (1 + np.exp(-sampled[0]["b_f"]))), np.sort(1 - 1 / (1 + np.exp(-sampled[1]["b_i"]))))
        assert abs(spread[0].mean() - spread[1].mean()) < 0.02
        assert (spread[1] >= 0.5).all()
        assert (spread[1] < 1).all()
    shifted = lstm(forget_bias=1.5, coupled_gates=True, input_bias=-1.0)
    assert set(shifted.initialise(np.random.default_rng(0), sequence_length=50)["b_i"]) == {-2.5}


def test_with_and_without_gate_recurrence_the_other_weights_are_the_same() -> None:
    sampled = [
        lstm(gate_recurrence=recurrent).initialise(np.random.default_rng(5), sequence_length=20)
        for recurrent in (False, True)
    ]
    assert set(sampled[1]) - set(sampled[0]) == {f"R_{a}{b}" for a in "ifo" for b in "ifo"}
    assert all(np.array_equal(value, sampled[1][symbol]) for symbol, value in sampled[0].items())


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"coupled_gates": True, "forget_gate": False}, "coupled gates need a forget gate; came: coupled_gates: True"),
        ({"coupled_gates": True, "input_gate": False}, "coupled gates need an input gate"),
        ({"input_gate": False, "forget_gate": False, "output_gate": False, "peepholes": False}, "an LSTM needs a gate"),
        ({"input_gate": False, "forget_gate": False}, "peepholes need an input gate or a forget gate"),
        ({"input_activation": "relu"}, "unknown input_activation 'relu' of cell 'lstm'; known: tanh, identity"),
        ({"output_activation": "none"}, "unknown output_activation 'none'"),
    ],
    ids=str,
)
def test_switches_that_make_no_sense_are_refused(switches: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lstm(**switches)
