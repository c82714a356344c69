"""Any torch module as a model: causal, replicas of their own, the plain module's gradient, windows by the book."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.cell import load_cell
from models.gradient_flow import GradientFlow
from models.kernels import load_kernel
from models.kernels.reference import unroll
from models.module import ModuleCell
from models.network import Network
from tests.models import modules

R, T, B, FEATURES, H = 2, 7, 3, 2, 4
HERE = "tests.models.modules"
FULL = GradientFlow(frozenset({"recurrent"}))
STATEFUL = [
    ("torch.nn.GRU", {"num_layers": 2}),
    ("torch.nn.LSTM", {"proj_size": 2}),
    ("torch.nn.RNN", {"nonlinearity": "relu"}),
    (f"{HERE}.Leaky", {}),
]
ALL = [*STATEFUL, (f"{HERE}.CausalConvolution", {})]

ids = [module.rpartition(".")[2] for module, _ in ALL]
all_modules = pytest.mark.parametrize(("module", "arguments"), ALL, ids=ids)
stateful_modules = pytest.mark.parametrize(("module", "arguments"), STATEFUL, ids=ids[:-1])


def build(module: str, arguments: dict[str, Any]) -> ModuleCell:
    options = {"module": module, "arguments": arguments}
    return load_cell("module", features=FEATURES, hidden_size=H, options=options)  # type: ignore[return-value]


def draw(cell: ModuleCell, *, replicas: int = R) -> tuple[dict[str, Tensor], Tensor]:
    rows = [cell.initialise(np.random.default_rng(seed), sequence_length=T) for seed in range(replicas)]
    parameters = {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in cell.shapes}
    inputs = torch.from_numpy(np.random.default_rng(7).normal(size=(replicas, T, B, FEATURES)))
    return {name: value.requires_grad_() for name, value in parameters.items()}, inputs.requires_grad_()


def plain(module: str, arguments: dict[str, Any], parameters: dict[str, Tensor], r: int) -> nn.Module:
    """Return the module itself, with the weights of one replica."""
    factory = getattr(modules if module.startswith(HERE) else nn, module.rpartition(".")[2])
    network = factory(FEATURES, H, **arguments).double()
    network.load_state_dict({name: value[r] for name, value in parameters.items()}, strict=False)
    return network


def gradients(outputs: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(outputs.square().sum(), leaves, materialize_grads=True))


@all_modules
def test_state_and_batching_are_detected(module: str, arguments: dict[str, Any]) -> None:
    cell = build(module, arguments)
    assert cell.carries_state is ((module, arguments) in STATEFUL)
    assert cell.is_batched is module.startswith(HERE)
    assert cell.hidden_size == arguments.get("proj_size", H)


@all_modules
def test_outputs_and_gradients_are_those_of_the_plain_module_alone(module: str, arguments: dict[str, Any]) -> None:
    cell = build(module, arguments)
    parameters, inputs = draw(cell)
    outputs, _ = unroll(cell, parameters, inputs=inputs, flow=FULL)
    of_all = gradients(outputs, [*parameters.values(), inputs])
    for r in range(R):
        alone = plain(module, arguments, parameters, r)
        result = alone(inputs[r])
        output = result[0] if isinstance(result, tuple) else result
        torch.testing.assert_close(outputs[r], output, rtol=1e-12, atol=0)
        expected = gradients(output, [*alone.parameters(), inputs])
        expected[-1] = expected[-1][r]
        norm = torch.cat([gradient.flatten() for gradient in expected]).norm()
        for gradient, of_alone in zip(of_all, expected, strict=True):
            assert (gradient[r] - of_alone).norm() < 1e-12 * norm


@all_modules
def test_it_is_causal_and_replicas_and_sequences_do_not_mix(module: str, arguments: dict[str, Any]) -> None:
    cell = build(module, arguments)
    parameters, inputs = draw(cell)
    outputs, _ = unroll(cell, parameters, inputs=inputs, flow=FULL)
    for r, t, b in ((0, 3, 1), (1, 5, 2)):
        (gradient,) = torch.autograd.grad(outputs[r, t, b].sum(), inputs, retain_graph=True)
        is_reached = gradient.abs().sum(dim=3) > 0
        assert is_reached[r, t, b]
        is_reached[r, : t + 1, b] = False
        assert not is_reached.any()


@all_modules
def test_sequences_that_start_later_are_those_that_are_shorter(module: str, arguments: dict[str, Any]) -> None:
    cell = build(module, arguments)
    parameters, inputs = draw(cell)
    starts = torch.tensor([[0, 3, 5], [2, 0, 3]])
    flows = [FULL, GradientFlow(FULL.paths, 3, 3)] if cell.carries_state else [FULL]
    for flow in flows:
        outputs, _ = unroll(cell, parameters, inputs=inputs, flow=flow, starts=starts)
        for r in range(R):
            of_replica = {name: value[r : r + 1] for name, value in parameters.items()}
            for b in range(B):
                start = int(starts[r, b])
                assert not outputs[r, :start, b].any()
                sequence = inputs[r : r + 1, start:, b : b + 1]
                alone, _ = unroll(cell, of_replica, inputs=sequence, flow=FULL)
                torch.testing.assert_close(outputs[r, start:, b], alone[0, :, 0], rtol=1e-10, atol=0)


@stateful_modules
@pytest.mark.parametrize("first_target", [0, 5])
def test_windows_are_the_literal_loop(module: str, arguments: dict[str, Any], first_target: int) -> None:
    cell = build(module, arguments)
    parameters, inputs = draw(cell, replicas=1)
    flow = GradientFlow(FULL.paths, 3, 3)
    outputs, _ = unroll(cell, parameters, inputs=inputs, flow=flow, first_target=first_target)
    alone, state, literal = plain(module, arguments, parameters, 0), None, []
    for window in inputs[0].split([1, 3, 3]):
        output, state = alone(window) if state is None else alone(window, state)
        state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
        literal.append(output)
    expected = torch.cat(literal)[first_target:]
    torch.testing.assert_close(outputs[0], expected, rtol=1e-12, atol=0)
    of_literal = gradients(expected, list(alone.parameters()))
    for gradient, of_alone in zip(gradients(outputs, list(parameters.values())), of_literal, strict=True):
        torch.testing.assert_close(gradient[0], of_alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("torch.nn.GRUU", {}, "there is no module 'torch.nn.GRUU' to import"),
        ("nowhere.Net", {}, "there is no module 'nowhere.Net' to import"),
        ("torch.nn.GRU", {"layers": 2}, r"torch.nn.GRU cannot be built with {'layers': 2}"),
        (
            "torch.nn.GRU",
            {"bidirectional": True},
            "is not causal: an output before step 1 changes with the input of",
        ),
        ("torch.nn.GRU", {"batch_first": True}, "mixes the sequences of a batch: time is the first axis"),
        ("torch.nn.GRU", {"dropout": 0.5, "num_layers": 2}, "must compute the same at every call: no dropout"),
        (f"{HERE}.LastOutput", {}, r"must return \(T, B, n\) of inputs \(T, B, features\)"),
        (f"{HERE}.Normalised", {}, "no running statistics"),
        ("torch.sub", {}, "must be a torch.nn.Module"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(module: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        build(module, arguments)
    assert "\n" not in str(raised.value)


def test_flows_that_mean_nothing_for_it_are_refused() -> None:
    gru, convolution = build(*ALL[0]), build(*ALL[-1])
    for cell, flow in (
        (gru, GradientFlow(frozenset())),
        (gru, GradientFlow(FULL.paths, 2, 4)),
        (convolution, GradientFlow(FULL.paths, 3, 3)),
    ):
        with pytest.raises(ValueError, match=r"the gradient flow of .* must be full"):
            unroll(cell, draw(cell)[0], inputs=draw(cell)[1], flow=flow)
    with torch.no_grad():  # as an evaluation does
        unroll(gru, draw(gru)[0], inputs=draw(gru)[1], flow=GradientFlow(frozenset()))


def test_two_layers_of_gru_learn_as_a_network() -> None:
    cell = build(*ALL[0])
    kernel = load_kernel("cpu", cell=cell, dtype=torch.float32, device=torch.device("cpu"))
    network = Network(cell, outputs=1, kernel=kernel)
    rows = [network.initialise(np.random.default_rng(seed), sequence_length=T) for seed in range(3)]
    weights = torch.from_numpy(np.stack(rows)).float().requires_grad_()
    inputs = torch.from_numpy(np.random.default_rng(1).normal(size=(3, T, 8, FEATURES))).float()
    optimiser, losses = torch.optim.Adam([weights], lr=0.02), []
    for _ in range(60):
        starts = torch.zeros(3, 8, dtype=torch.int64)
        outputs = network.outputs_of(weights, inputs=inputs, starts=starts, first_target=T - 1, flow=FULL)
        losses.append((outputs[:, 0, :, 0] - inputs[:, 2, :, 0]).square().mean(dim=1))
        optimiser.zero_grad()
        losses[-1].sum().backward()
        optimiser.step()
    assert (losses[-1] < 0.5 * losses[0]).all()
