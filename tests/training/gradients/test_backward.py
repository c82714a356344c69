"""The gradient decomposed: known answers, sums that must hold, and bounds."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cell import Cell, Parameters, State, Via, project_inputs
from models.kernels import load_kernel
from models.network import Network
from tests.training.gradients.case import CELLS, Case
from training.evaluation import Tensors
from training.gradients.backward import (
    compute_shapley,
    list_subsets,
    run_backward,
    split_by_path,
)
from training.gradients.decomposition import decompose, list_steps_back, root_mean_square, share

CELL_ONLY = frozenset({"cell"})


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("task", ["temporal_order", "copy"])
def test_the_terms_of_all_steps_sum_to_the_whole_gradient_under_every_flow(name: str, task: str) -> None:
    case = Case(name, task=task, lag=8 if task == "temporal_order" else 11)
    flows = [frozenset(), *list_subsets(case.cell.paths)]
    steps = case.back(*flows)
    assert len(steps) == case.task.sequence_length
    for row, flow in enumerate(flows):
        whole = case.gradient(flow)
        for symbol in case.cell.shapes:
            summed = torch.stack([step.terms[symbol][row] for step in steps]).sum(dim=0)
            assert (summed - whole[symbol]).norm() <= 1e-12 * whole[symbol].norm()
            assert whole[symbol].norm() > 0


def test_the_error_of_h_and_c_is_autograd_s() -> None:
    """dC/dh(t) and dC/dc(t) as autograd finds them on the unrolled graph, where h(t) is made of c(t)."""
    case = Case("lstm_peephole")
    parameters = {symbol: value.requires_grad_() for symbol, value in case.network.by_symbol(case.weights).items()}
    states, state = [], tuple(torch.zeros(2, 5, 4, dtype=torch.float64) for _ in "hc")
    prepared = case.cell.prepare(parameters)
    for t, projected in enumerate(case.cell.project(prepared, case.data.inputs).unbind(dim=1)):
        new = case.cell.step(prepared, projected, state=state, via=lambda _, tensor: tensor)
        state = tuple(torch.where((case.data.starts <= t)[..., None], n, 0) for n in new)
        states.append((new, state))
    outputs = case.network.kernel.readout(state[0][:, None], parameters["V"], parameters["b_y"])
    loss = case.task.loss(outputs, case.data.targets[:, -1:]).sum()
    steps = case.back(frozenset(case.cell.paths))
    length = len(states)
    for u in range(length - int(case.data.starts.max())):
        expected = torch.autograd.grad(loss, states[length - 1 - u][0], retain_graph=True)
        for kind in (0, 1):
            torch.testing.assert_close(steps[u].at[kind][0], expected[kind], rtol=1e-10, atol=0)


def test_error_is_exactly_constant_along_the_cell_without_a_forget_gate() -> None:
    """Hochreiter & Schmidhuber 1997, eq. 41: what reaches the cell q steps back does not depend on q."""
    for name in ("lstm_no_forget", "lstm_1997"):
        case = Case(name, scale=1.0)
        steps = case.back(CELL_ONLY)
        at_end = steps[0].at[-1]
        assert at_end.abs().min() > 0
        for step in steps[: len(steps) - int(case.data.starts.max())]:
            assert torch.equal(step.at[-1], at_end)
    full = Case("lstm_no_forget").back(frozenset(Case("lstm_no_forget").cell.paths))
    assert not torch.allclose(full[3].at[1], full[0].at[1], rtol=1e-3, atol=0)


@pytest.mark.parametrize("bias", [0.0, 1.0, 5.0])
def test_error_along_the_cell_shrinks_by_the_forget_gate_in_every_step(bias: float) -> None:
    """With all weights of the gates 0, f = sigmoid(b_f) at all steps: the slope of the logarithm is ln f."""
    case = Case("lstm")
    parameters = case.network.by_symbol(case.weights)
    for symbol in ("W_f", "U_f"):
        parameters[symbol].zero_()
    parameters["b_f"].fill_(bias)
    steps = case.back(CELL_ONLY)
    f = 1 / (1 + np.exp(-bias))
    norms = torch.stack([root_mean_square(step.at[1])[0] for step in steps])
    running = len(norms) - int(case.data.starts.max())
    for u in range(1, running):
        np.testing.assert_allclose((norms[u] / norms[u - 1]).numpy(), f, rtol=1e-12, atol=0)


def test_the_error_of_an_rnn_keeps_within_its_spectral_bounds() -> None:
    """Pascanu et al. 2013: |dC/dh(t-1)| is between smin min(1 - h^2) and smax max(1 - h^2) times |dC/dh(t)|."""
    case = Case("rnn", scale=3.0)
    forward = case.forward()
    steps = list(run_backward(forward, [frozenset({"recurrent"})]))
    for row in range(2):
        singular = torch.linalg.svdvals(forward.parameters["U"][row])
        for u in range(1, len(steps)):
            slope = 1 - forward.states[forward.steps - u + 1][0][row].square()  # of the step from T - u on: (B, H)
            before, after = (steps[n].at[0][0, row].norm(dim=-1) for n in (u, u - 1))
            if forward.steps - u <= int(case.data.starts[row].max()):
                break
            assert (before <= singular[0] * slope.amax(dim=-1) * after * (1 + 1e-12)).all()
            assert (before >= singular[-1] * slope.amin(dim=-1) * after * (1 - 1e-12)).all()
            assert (before > 0).all()
    weak = Case("rnn")
    weak.network.by_symbol(weak.weights)["U"].mul_(
        0.5 / torch.linalg.svdvals(weak.network.by_symbol(weak.weights)["U"]).amax(dim=-1)[:, None, None]
    )
    norms = [root_mean_square(step.at[0])[0] for step in weak.back(frozenset({"recurrent"}))]
    for u, norm in enumerate(norms):
        assert (norm <= 0.5**u * norms[0] * (1 + 1e-12)).all()


@pytest.mark.parametrize("name", CELLS)
def test_what_the_paths_bring_adds_up_to_what_arrives(name: str) -> None:
    case = Case(name)
    forward, full = case.forward(), frozenset(case.cell.paths)
    steps = list(run_backward(forward, [full]))
    for u in (1, 4):
        arriving = tuple(error[0] for error in steps[u - 1].before)
        parts = split_by_path(forward, u=u, arriving=arriving)
        assert list(parts) == list(case.cell.paths)
        for kind, whole in enumerate(steps[u].before):
            summed = torch.stack([part[kind] for part in parts.values()]).sum(dim=0)
            torch.testing.assert_close(summed, whole[0], rtol=1e-12, atol=0)


def test_each_path_brings_what_the_equations_say() -> None:
    """The backward equations of the LSTM (models/lstm.py), written out in NumPy for one step."""
    case = Case("lstm_peephole", scale=1.5)
    forward = case.forward()
    (first, second, *_) = run_backward(forward, [frozenset(case.cell.paths)])
    eps_h, eps_c = (error[0].numpy() for error in first.before)
    t = forward.steps - 2  # the step that u = 1 goes through, counted from 0
    h, c = (tensor.numpy() for tensor in forward.states[t])
    x, p = forward.inputs[:, t].numpy(), {name: value.numpy() for name, value in forward.parameters.items()}
    net = {gate: x @ p[f"W_{gate}"] + h @ p[f"U_{gate}"] + p[f"b_{gate}"][:, None] for gate in "ifzo"}

    def sigmoid(a: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-a))

    i, f = (sigmoid(net[gate] + p[f"p_{gate}"][:, None] * c) for gate in "if")
    z = np.tanh(net["z"])
    c_new = f * c + i * z
    o = sigmoid(net["o"] + p["p_o"][:, None] * c_new)
    do = eps_h * np.tanh(c_new) * o * (1 - o)
    without = eps_c + eps_h * o * (1 - np.tanh(c_new) ** 2)
    peephole = p["p_o"][:, None] * do

    def onward(dc: np.ndarray) -> dict[str, np.ndarray]:
        di, df, dz = dc * z * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - z**2)
        U = {gate: p[f"U_{gate}"].swapaxes(1, 2) for gate in "ifzo"}
        return {
            "cell": f * dc,
            "peepholes": p["p_i"][:, None] * di + p["p_f"][:, None] * df,
            "gates": di @ U["i"] + df @ U["f"],
            "block_input": dz @ U["z"],
        }

    alone, added = onward(without), onward(peephole)
    parts = {path: tuple(error.numpy() for error in part) for path, part in
             split_by_path(forward, u=1, arriving=tuple(error[0] for error in first.before)).items()}  # fmt: skip
    of_output = do @ p["U_o"].swapaxes(1, 2)
    zero = np.zeros_like(h)
    expected = {
        "cell": (zero, alone["cell"]),
        "gates": (alone["gates"] + of_output, zero),
        "block_input": (alone["block_input"], zero),
        "peepholes": (zero, alone["peepholes"]),
        "output_peephole": (added["gates"] + added["block_input"], added["cell"] + added["peepholes"]),
    }
    size = float(torch.cat(second.before).norm())
    for path, values in expected.items():
        for came, value in zip(parts[path], values, strict=True):
            assert np.linalg.norm(came - value) <= 1e-13 * size
            assert (np.linalg.norm(value) > 1e-6 * size) == value.any()  # what is not 0 is no rounding either
    whole = without + peephole
    np.testing.assert_allclose(second.at[1][0].numpy(), whole, rtol=1e-11, atol=0)


def test_shapley_values_share_out_the_whole_error_and_nothing_else() -> None:
    rng = torch.Generator().manual_seed(1)
    paths = ("cell", "gates", "block_input")
    errors = {subset: torch.randn(2, 3, 4, generator=rng, dtype=torch.float64) for subset in list_subsets(paths)}
    values = compute_shapley(errors, paths=paths)
    whole = errors[frozenset(paths)]
    torch.testing.assert_close(torch.stack(list(values.values())).sum(dim=0), whole, rtol=1e-12, atol=1e-14)
    assert torch.allclose(sum(share(value, whole) for value in values.values()), torch.ones(2, dtype=torch.float64))
    a, b = torch.ones(1, 1, 2, dtype=torch.float64), torch.full((1, 1, 2), 3.0, dtype=torch.float64)
    additive = {frozenset({"a"}): a, frozenset({"b"}): b, frozenset({"a", "b"}): a + b + 2}
    values = compute_shapley(additive, paths=("a", "b"))
    assert torch.equal(values["a"], a + 1)  # its own, and half of what both only do together
    assert torch.equal(values["b"], b + 1)


def test_a_path_of_the_step_itself_carries_nothing_alone() -> None:
    case = Case("lstm_peephole")
    alone, none, cell, both = case.back(
        frozenset({"output_peephole"}), frozenset(), CELL_ONLY, frozenset({"cell", "output_peephole"})
    )[5].at[1]
    assert not alone.any()
    assert not none.any()
    assert not torch.allclose(cell, both, rtol=1e-6, atol=0)


def test_errors_are_those_of_one_sequence_s_own_loss() -> None:
    """Twice the same sequences: the mean loss's errors are half as large each, the root mean square is the same."""
    once, twice = Case("lstm"), Case("lstm")
    twice.data = Tensors(*(torch.cat([part, part], dim=-2 if part.ndim == 4 else -1) for part in twice.data))
    (a, *_), (b, *_) = (case.back(CELL_ONLY) for case in (once, twice))
    assert not torch.allclose(a.at[0][:, :, 0], b.at[0][:, :, 0], rtol=1e-3, atol=0)
    torch.testing.assert_close(root_mean_square(a.at[1]), root_mean_square(b.at[1]), rtol=1e-12, atol=0)
    norms = a.at[1].norm(dim=-1) * 5
    torch.testing.assert_close(root_mean_square(a.at[1]), norms.square().mean(dim=-1).sqrt(), rtol=1e-12, atol=0)


def test_steps_back_hold_the_end_the_lag_and_the_beginning() -> None:
    assert list_steps_back(20, lag=10) == [0, 1, 2, 4, 8, 10, 16, 19]
    assert list_steps_back(1, lag=1) == [0]
    assert list_steps_back(8, lag=8) == [0, 1, 2, 4, 7]


class Stabilised(Cell):
    """c' = f c + z, h = c' / exp(m'), with the stabiliser m' = max(m, z) detached: the states are (h, m, c)."""

    paths = ("cell", "block_input")
    state_symbols = ("h", "m", "c")
    states_without_error = ("m",)

    def __init__(self, *, features: int, hidden_size: int) -> None:
        self.features, self.hidden_size = features, hidden_size
        self.state_sizes = (hidden_size,) * 3
        self.shapes = {"W": (features, hidden_size), "U": (hidden_size, hidden_size), "f": (hidden_size,)}

    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> dict[str, np.ndarray]:
        return {symbol: rng.uniform(-0.5, 0.5, shape) for symbol, shape in self.shapes.items()}

    def prepare(self, parameters: Parameters) -> Parameters:
        return parameters

    def project(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        return project_inputs(inputs, parameters["W"], None)

    def step(self, parameters: Parameters, projected: Tensor, *, state: State, via: Via) -> State:
        h, m, c = state
        z = torch.tanh(projected + torch.bmm(via("block_input", h), parameters["U"]))
        c = parameters["f"][:, None] * via("cell", c) + z
        m = torch.maximum(m, z).detach()
        return c / m.exp(), m, c


def test_a_state_without_error_has_none_and_the_others_are_measured() -> None:
    case = Case("rnn")
    case.cell = Stabilised(features=case.task.features, hidden_size=4)
    kernel = load_kernel("reference", cell=case.cell, dtype=torch.float64, device=torch.device("cpu"))
    case.network = Network(case.cell, outputs=case.task.outputs, kernel=kernel)
    rng = np.random.default_rng(7)
    initial = [case.network.initialise(rng, sequence_length=case.task.sequence_length) for _ in range(2)]
    case.weights = torch.from_numpy(np.stack(initial))
    full = frozenset(case.cell.paths)
    steps, whole = case.back(full), case.gradient(full)
    for symbol in case.cell.shapes:
        summed = torch.stack([step.terms[symbol][0] for step in steps]).sum(dim=0)
        torch.testing.assert_close(summed, whole[symbol], rtol=1e-10, atol=1e-14)
    assert not any(step.at[1].any() for step in steps)
    assert case.forward().measured == {"h": 0, "c": 2}
    record = decompose(case.forward(), lag=8, flows={"full": full}, after_step=lambda: None)
    assert {row["quantity"] for row in record["flows"]} == {"h", "c", "W", "U"}
