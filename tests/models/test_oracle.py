"""The oracle against itself: hand-derived gradients against complex-step derivatives of its own forward pass."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.models import oracle
from tests.models.cases import ALL_LSTMS, CELLS, Case, Options, draw_case, subsets

# relative; a complex step has no cancellation, so the two sides differ by rounding alone
RTOL = 1e-11


def loss(case: Case, trace: oracle.Trace) -> complex:
    """Return the loss whose derivatives the case's errors are."""
    of_gates = np.concatenate([trace.h[-1, :, :0], *(states[-1] for states in trace.carried.values())], axis=1)
    of_states = (case.errors.c_last * trace.c[-1]).sum() + (case.errors.g_last * of_gates).sum()
    return (case.errors.h * trace.h[1:]).sum() + of_states


def complex_step(case: Case, paths: frozenset[str]) -> dict[str, np.ndarray]:
    """Differentiate the forward pass in which every path outside `paths` reads recorded, hence constant, states."""
    frozen = case.forward()
    states = dict(zip(("h0", "c0", "g0"), case.initial, strict=False))
    variables = {**case.parameters, **states}
    derivatives = {}
    for name, value in variables.items():
        derivative = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            moved = value.astype(complex)
            moved[index] += 1e-100j
            changed = {name: moved} if name in states else {"p": case.parameters | {name: moved}}
            derivative[index] = loss(case, case.forward(**changed, paths=paths, frozen=frozen)).imag / 1e-100
        derivatives[name] = derivative
    return derivatives


def every_subset() -> Iterator[Any]:
    """Yield each cell with each subset of its paths; those of more than one and not all but one are many, and slow."""
    for options in CELLS:
        for paths in subsets(options):
            marks = [pytest.mark.slow] if 1 < len(paths) < len(options.paths) - 1 else []
            yield pytest.param(options, paths, id=f"{options}-{'+'.join(sorted(paths))}", marks=marks)


@pytest.mark.parametrize(("options", "paths"), list(every_subset()))
def test_backward_is_the_derivative_with_cut_paths_held_constant(options: Options, paths: frozenset[str]) -> None:
    case = draw_case(options, np.random.default_rng(3), steps=5, batch=2, hidden=2)
    case = case._replace(starts=np.array([0, 2]))
    gradients = case.backward(paths)
    expected = complex_step(case, paths)
    for name, derivative in expected.items():
        gradient = gradients.parameters[name] if name in case.parameters else getattr(gradients, name)
        assert_allclose(gradient, derivative, rtol=RTOL, atol=0, err_msg=name)


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_full_backward_agrees_with_central_differences(options: Options) -> None:
    case = draw_case(options, np.random.default_rng(4), steps=4, batch=2, hidden=2)
    step = 1e-5
    for name, gradient in case.backward().parameters.items():
        for index in np.ndindex(gradient.shape):
            ends = []
            for sign in (1, -1):
                moved = case.parameters[name].copy()
                moved[index] += sign * step
                ends.append(loss(case, case.forward(p=case.parameters | {name: moved})))
            assert_allclose(gradient[index], (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=0, err_msg=name)


@pytest.mark.parametrize(
    ("options", "output_peephole"),
    [(o, False) for o in ALL_LSTMS] + [(o, True) for o in ALL_LSTMS if "output_peephole" in o.paths],
    ids=str,
)
def test_rtrl_is_the_backward_pass_of_1997(options: Options, output_peephole: bool) -> None:
    case = draw_case(options, np.random.default_rng(5), gates_in_loss=False)
    paths = frozenset({"cell", "output_peephole"} if output_peephole else {"cell"})
    forward = case.rtrl(output_peephole=output_peephole)
    for name, gradient in case.backward(paths).parameters.items():
        assert_allclose(forward[name], gradient, rtol=RTOL, atol=0, err_msg=name)


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_one_window_over_everything_is_the_whole_sequence(options: Options) -> None:
    case = draw_case(options, np.random.default_rng(6))
    whole, windowed = case.backward(), case.backward(k1=len(case.x), k2=len(case.x) + 3)
    for name, gradient in whole.parameters.items():
        assert np.array_equal(gradient, windowed.parameters[name]), name
    several = case.backward(k1=2, k2=len(case.x))  # overlapping windows that all reach the first step
    for name, gradient in whole.parameters.items():
        assert_allclose(several.parameters[name], gradient, rtol=1e-10, atol=0, err_msg=name)
