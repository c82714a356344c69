"""What every cell on disk promises, whatever its equations: shapes, gradients, cuts, windows, replicas of their own.

`pytest tests/models/test_conformance.py --cell NAME` tests one. A file whose structure is wrong has this one failure.
"""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cell import Cell, load_cell, one_hot
from models.gradient_flow import GradientFlow
from models.kernels import reference
from tests.models.contract import (
    FEATURES,
    B,
    R,
    T,
    build_cell,
    draw,
    files_with_cells,
    reaches,
    structural_error,
    unrolls_itself,
    variants,
    zero_state,
)
from tests.models.finite_differences import assert_gradient


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Test the file of `--cell`, or all; of a file whose structure is wrong nothing else."""
    chosen = metafunc.config.getoption("--cell")
    names = files_with_cells() if chosen is None else [chosen]
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", names)
        return
    fixture = next(fixture for fixture in ("cell", "stepped") if fixture in metafunc.fixturenames)
    sound = [name for name in names if structural_error(name) is None]
    cells = [
        ("-".join([name, *map(str, options.values())]), build_cell(name, options))
        for name in sound
        for options in variants(name)
    ]
    if fixture == "stepped":
        cells = [(label, cell) for label, cell in cells if not unrolls_itself(cell)]
    metafunc.parametrize(fixture, [pytest.param(cell, id=label) for label, cell in cells])


def full(cell: Cell) -> GradientFlow:
    return GradientFlow(frozenset(cell.paths))


def gradients(cell: Cell, flow: GradientFlow) -> list[Tensor]:
    """Return outputs, and the gradients of the sum of their squares with respect to all parameters."""
    parameters, inputs = draw(cell)
    outputs, _ = reference.unroll(cell, parameters, inputs=inputs, flow=flow)
    of_parameters = torch.autograd.grad(outputs.square().sum(), list(parameters.values()), materialize_grads=True)
    return [outputs.detach(), *of_parameters]


def differ(gradients: list[Tensor], others: list[Tensor]) -> bool:
    return any(not torch.allclose(a, b, rtol=1e-9, atol=0) for a, b in zip(gradients, others, strict=True))


def test_the_file_can_be_tested(name: str) -> None:
    error = structural_error(name)
    if error is not None:
        pytest.fail(error, pytrace=False)


def test_an_unknown_option_is_refused(name: str) -> None:
    if structural_error(name) is None:
        with pytest.raises(ValueError, match="takes the options"):
            load_cell(name, features=FEATURES, hidden_size=4, options={**variants(name)[0], "nonsense": 1})


def test_initial_weights_have_the_declared_shapes_and_come_from_the_stream(cell: Cell) -> None:
    weights, same, other = (cell.initialise(np.random.default_rng(seed), sequence_length=50) for seed in (1, 1, 2))
    assert {symbol: value.shape for symbol, value in weights.items()} == dict(cell.shapes)
    for symbol, value in weights.items():
        assert value.dtype == np.float64, f"initialise must return float64; {symbol} is {value.dtype}"
        assert np.isfinite(value).all(), f"initialise must return finite weights; {symbol} is not"
        assert np.array_equal(value, same[symbol]), f"draw {symbol} from `rng` alone: the same stream, other weights"
    assert any(not np.array_equal(weights[symbol], other[symbol]) for symbol in weights), "draw the weights from `rng`"


def test_a_state_and_an_output_per_replica_and_sequence(cell: Cell) -> None:
    parameters, inputs = draw(cell)
    outputs, state = reference.unroll(cell, parameters, inputs=inputs, flow=full(cell))
    assert outputs.shape == (R, T, B, cell.hidden_size)
    assert [tuple(tensor.shape) for tensor in state] == [(R, B, size) for size in cell.state_sizes]
    assert torch.equal(outputs[:, -1], state[0]), "the first tensor of the state must be h, which the readout reads"


def test_the_gradient_is_that_of_finite_differences(cell: Cell) -> None:
    parameters, inputs = draw(cell)
    weights = torch.from_numpy(np.random.default_rng(4).normal(size=(R, T, B, cell.hidden_size)))

    def loss(leaves: Mapping[str, Tensor]) -> Tensor:
        return (weights * reference.unroll(cell, leaves, inputs=inputs, flow=full(cell))[0]).sum()

    assert_gradient(loss, parameters)


def test_without_any_path_no_error_reaches_the_initial_state(stepped: Cell) -> None:
    parameters, inputs = draw(stepped)
    for paths, is_reached in ((frozenset(stepped.paths), True), (frozenset[str](), False)):
        initial = zero_state(stepped)
        outputs, _ = reference.unroll(stepped, parameters, inputs=inputs, flow=GradientFlow(paths), initial=initial)
        assert any(reaches(outputs[:, 1:], initial)) is is_reached, "in step, pass each use of the old state to via"


def test_error_reaches_the_states_that_are_not_declared_without(stepped: Cell) -> None:
    parameters, inputs = draw(stepped)
    initial = zero_state(stepped)
    outputs, _ = reference.unroll(stepped, parameters, inputs=inputs, flow=full(stepped), initial=initial)
    for symbol, is_reached in zip(stepped.state_symbols, reaches(outputs[:, 1:], initial), strict=True):
        expected = symbol not in stepped.states_without_error
        assert is_reached is expected, (
            f"error reaches state {symbol}: take it out of states_without_error"
            if is_reached
            else f"no error reaches state {symbol}: name it in states_without_error, or do not detach it"
        )


def test_every_path_carries_error_and_none_changes_the_outputs(stepped: Cell) -> None:
    outputs, *uncut = gradients(stepped, full(stepped))
    for path in stepped.paths:
        cut_outputs, *cut = gradients(stepped, GradientFlow(frozenset(stepped.paths) - {path}))
        assert torch.equal(cut_outputs, outputs), f"without path {path} the outputs are others"
        assert differ(uncut, cut), f"path {path} carries no error: pass what goes along it to via"


def test_a_window_over_the_whole_sequence_is_full_and_a_shorter_one_is_not(cell: Cell) -> None:
    paths = frozenset(cell.paths)
    uncut, whole, short = (gradients(cell, GradientFlow(paths, k, k)) for k in (None, T, 2))
    assert all(torch.equal(a, b) for a, b in zip(uncut, whole, strict=True))
    assert torch.allclose(uncut[0], short[0], rtol=1e-12, atol=0), "a window must not change the outputs"
    assert differ(uncut[1:], short[1:]), "a window of two steps must cut error: is there memory besides the state?"


def test_a_replica_is_the_same_alone(cell: Cell) -> None:
    parameters, inputs = draw(cell)
    together, _ = reference.unroll(cell, parameters, inputs=inputs, flow=full(cell))
    for replica in range(R):
        alone = {symbol: value[replica : replica + 1] for symbol, value in parameters.items()}
        outputs, _ = reference.unroll(cell, alone, inputs=inputs[replica : replica + 1], flow=full(cell))
        torch.testing.assert_close(outputs[0], together[replica], rtol=1e-12, atol=0)


def test_one_hot_inputs_may_be_indices(cell: Cell) -> None:
    parameters, _ = draw(cell)
    indices = torch.from_numpy(np.random.default_rng(5).integers(-1, FEATURES, (R, T, B)))
    dense = one_hot(indices, features=FEATURES, dtype=torch.float64)
    outputs, expected = (reference.unroll(cell, parameters, inputs=x, flow=full(cell))[0] for x in (indices, dense))
    message = "project must take indices (R, T, B) as well, as models.cell.project_inputs does"
    torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=0, msg=message)


def test_a_default_device_does_not_touch_it(cell: Cell) -> None:
    parameters, inputs = draw(cell)
    expected, _ = reference.unroll(cell, parameters, inputs=inputs, flow=full(cell))
    with torch.device("meta"):
        outputs, _ = reference.unroll(cell, parameters, inputs=inputs, flow=full(cell))
    assert outputs.device == expected.device, "name the device of every tensor that the cell makes"
    assert torch.equal(outputs, expected)


def test_parameters_changed_since_the_forward_pass_are_refused(cell: Cell) -> None:
    for symbol in cell.shapes:
        parameters, inputs = draw(cell)
        outputs, _ = reference.unroll(cell, parameters, inputs=inputs, flow=full(cell))
        with torch.no_grad():
            parameters[symbol].mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            outputs.sum().backward()
