"""The 1997 network against the equations: sizes, initial weights, outputs, every truncation, constant error flow."""

from collections.abc import Mapping
from itertools import chain, combinations
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from models.gradient_flow import GradientFlow
from models.kernels import Kernel, reference
from models.lstm_1997 import LSTM1997Cell
from models.network import Network
from tests.models import oracle_1997
from tests.models.oracle_1997 import PATHS, Case, draw_case

KERNEL = Kernel("reference", reference.unroll, reference.readout)
TRUNCATED = frozenset({"cell"})
SUBSETS = [frozenset(s) for s in chain.from_iterable(combinations(sorted(PATHS), n) for n in range(4))]
KINDS = [(block_size, biases) for block_size in (1, 2, 4) for biases in (True, False)]


def make_cell(**changed: Any) -> LSTM1997Cell:
    options = {"features": 8, "hidden_size": 4, "block_size": 2, "input_gate_bias": -2.0, "biases": True, "bound": 0.1}
    return LSTM1997Cell(**(options | changed))


class Outcome(NamedTuple):
    """What the reference kernel finds for a case."""

    y: Tensor  # (T, B, C)
    state: tuple[Tensor, ...]
    gradients: Mapping[str, Tensor]
    u0: Tensor
    s0: Tensor


def run(case: Case, paths: frozenset[str]) -> Outcome:
    C = case.cells
    cell = make_cell(
        features=case.x.shape[2], hidden_size=C, block_size=case.block_size, biases="b_i" in case.p, bound=1.0
    )
    parameters = {name: torch.tensor(case.p[name][None], requires_grad=True) for name in cell.shapes}
    initial = tuple(torch.tensor(part[None], requires_grad=True) for part in (case.u0[:, :C], case.u0[:, C:], case.s0))
    y, state = reference.unroll(
        cell,
        parameters,
        inputs=torch.tensor(case.x[None]),
        flow=GradientFlow(paths),
        starts=torch.tensor(case.starts[None]),
        initial=initial,
    )
    loss = (y[0] * torch.tensor(case.of_y)).sum() + (state[2][0] * torch.tensor(case.of_s)).sum()
    computed = torch.autograd.grad(loss, [*parameters.values(), *initial], allow_unused=True, materialize_grads=True)
    gradients = dict(zip(parameters, [gradient[0] for gradient in computed], strict=False))
    u0 = torch.cat([computed[-3][0], computed[-2][0]], dim=-1)
    return Outcome(y[0].detach(), tuple(part[0].detach() for part in state), gradients, u0, computed[-1][0])


@pytest.mark.parametrize(
    ("features", "blocks", "block_size", "outputs", "biases", "weights"),
    [
        (2, 2, 2, 1, True, 93),  # adding
        (8, 2, 2, 4, True, 156),  # temporal order 6a
        (8, 3, 2, 8, True, 308),  # 6b
        *(
            (p + 4, 2, 1, 2, False, count)
            for p, count in ((50, 364), (100, 664), (200, 1264), (500, 3064), (1000, 6064))
        ),
    ],
)
def test_weight_counts_are_those_of_the_paper(
    features: int, blocks: int, block_size: int, outputs: int, biases: bool, weights: int
) -> None:
    """Tables 3, 7 and 9."""
    cell = make_cell(features=features, hidden_size=blocks * block_size, block_size=block_size, biases=biases)
    network = Network(cell, outputs=outputs, kernel=KERNEL)
    assert network.parameters == weights
    assert network.initialise(np.random.default_rng(0), sequence_length=10).shape == (weights,)


def test_initial_weights_are_uniform_but_for_the_input_gates_whose_bias_grows_with_the_block() -> None:
    cell = make_cell(features=300, hidden_size=6, input_gate_bias=-3.0)
    network = Network(cell, outputs=50, kernel=KERNEL)
    rows = torch.tensor(network.initialise(np.random.default_rng(0), sequence_length=10)[None])
    values = {symbol: value[0].numpy() for symbol, value in network.by_symbol(rows).items()}
    assert values.pop("b_i").tolist() == [-3.0, -6.0, -9.0]
    assert all(value.any() and np.abs(value).max() <= 0.1 for value in values.values())
    for symbol in ("W_i", "W_z", "W_o", "V", "b_y"):
        expected = 0.1**2 / 3
        assert values[symbol].var() == pytest.approx(expected, rel=4 * (0.8 / values[symbol].size) ** 0.5), symbol


def test_without_biases_there_are_none_in_the_readout_either() -> None:
    network = Network(make_cell(biases=False), outputs=3, kernel=KERNEL)
    assert not [symbol for symbol in network.shapes if symbol.startswith("b_")]
    weights = torch.tensor(network.initialise(np.random.default_rng(0), sequence_length=10)[None])
    nothing = torch.zeros(1, 5, 1, 8, dtype=torch.float64)
    # with x = 0 and no bias every net input but those that the gates feed is zero at the first step: g(0) = 0, so y = 0
    first = network.outputs_of(
        weights,
        inputs=nothing[:, :1],
        starts=torch.zeros(1, 1, dtype=torch.int64),
        first_target=0,
        flow=GradientFlow(TRUNCATED),
    )
    assert torch.equal(first, torch.zeros_like(first))


@pytest.mark.parametrize("paths", SUBSETS, ids=lambda paths: "+".join(sorted(paths)) or "none")
@pytest.mark.parametrize(("block_size", "biases"), KINDS)
def test_outputs_and_gradients_under_every_truncation_are_those_of_the_equations(
    block_size: int, biases: bool, paths: frozenset[str]
) -> None:
    case = draw_case(np.random.default_rng([block_size, biases]), block_size=block_size, biases=biases)
    outcome, trace, expected = run(case, paths), oracle_1997.forward(case), oracle_1997.backward(case, paths)
    C = case.cells
    assert_allclose(outcome.y, trace.u[1:, :, :C], rtol=1e-11, atol=0)
    for mine, theirs in zip(outcome.state, (trace.u[-1, :, :C], trace.u[-1, :, C:], trace.s[-1]), strict=True):
        assert_allclose(mine, theirs, rtol=1e-11, atol=0)
    for name, gradient in outcome.gradients.items():
        assert_allclose(gradient, expected.parameters[name], rtol=1e-10, atol=0, err_msg=name)
    assert_allclose(outcome.u0, expected.u0, rtol=1e-10, atol=0)
    assert_allclose(outcome.s0, expected.s0, rtol=1e-10, atol=0)


@pytest.mark.parametrize(("block_size", "biases"), KINDS)
def test_backward_of_the_oracle_is_the_derivative_of_its_forward(block_size: int, biases: bool) -> None:
    """By complex steps, which have no rounding error: Im f(w + ih) / h."""
    case = draw_case(np.random.default_rng(5), block_size=block_size, biases=biases)

    def loss(p: dict[str, Any]) -> Any:
        trace = oracle_1997.forward(case._replace(p=p))
        return (trace.u[1:, :, : case.cells] * case.of_y).sum() + (trace.s[-1] * case.of_s).sum()

    for name, value in case.p.items():
        gradient = np.zeros_like(value)
        for place in np.ndindex(value.shape):
            moved = value.astype(complex)
            moved[place] += 1e-30j
            gradient[place] = loss(case.p | {name: moved}).imag / 1e-30
        assert_allclose(oracle_1997.backward(case).parameters[name], gradient, rtol=1e-10, atol=0, err_msg=name)


@pytest.mark.parametrize(("block_size", "biases"), KINDS)
def test_truncated_gradient_is_that_of_the_paper_s_forward_recursion(block_size: int, biases: bool) -> None:
    case = draw_case(np.random.default_rng(6), block_size=block_size, biases=biases, steps=30)
    computed, expected = run(case, TRUNCATED).gradients, oracle_1997.rtrl(case)
    for name, gradient in computed.items():
        assert_allclose(gradient, expected[name], rtol=1e-10, atol=0, err_msg=name)
    full = run(case, PATHS).gradients
    assert all((full[name] - gradient).abs().max() > 1e-3 for name, gradient in computed.items())


def test_error_flow_along_the_cells_is_exactly_one() -> None:
    """Eq. 41: ds(T)/ds(t) is the identity, whatever the weights and however far back; along all paths it is not."""
    sampled = draw_case(np.random.default_rng(7), steps=200, batch=1, ragged=False)
    for paths, constant in ((TRUNCATED, True), (PATHS, False)):
        for c in range(sampled.cells):
            case = sampled._replace(of_y=0 * sampled.of_y, of_s=np.eye(sampled.cells)[[c]])
            assert torch.equal(run(case, paths).s0[0], torch.eye(sampled.cells, dtype=torch.float64)[c]) is constant


def test_error_at_a_cell_s_input_does_not_depend_on_how_long_ago_it_was() -> None:
    """Eq. 41 again: what s(T) sends to W through the inputs of step 3 is the same for any T."""
    sampled = draw_case(np.random.default_rng(8), steps=120, batch=1, ragged=False)
    computed = []
    for T in (4, 40, 120):
        x = sampled.x[:T].copy()
        x[:3], x[4:] = 0, 0  # dL/dW then sees step 3 alone
        case = sampled._replace(x=x, of_y=0 * sampled.of_y[:T])
        computed.append(run(case, TRUNCATED).gradients)
    for name in ("W_i", "W_z"):
        assert computed[0][name].all()
        assert torch.equal(computed[0][name], computed[1][name])
        assert torch.equal(computed[0][name], computed[2][name])
        assert not computed[0]["W_o"].any()


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ValueError, match="block_size of cell 'lstm_1997' must divide hidden_size 4; came: 3"):
        make_cell(block_size=3)
    with pytest.raises(ValueError, match="bound of cell 'lstm_1997' must be > 0; came: 0"):
        make_cell(bound=0.0)
