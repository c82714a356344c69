"""Gradient flows: every subset of paths and every window against the hand-derived backward pass, and the refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gradient_flow import GradientFlow, Window
from models.kernels.reference import unroll
from tests.models.cases import CELLS, LSTM, LSTMS, RNN, Case, Options, draw_case, subsets
from tests.models.experiment import assert_gradients, cell_of, full, make_cell, run_cases

RTOL = 1e-10
WINDOWS = [(1, 1), (1, 3), (2, 2), (2, 3), (2, 5), (3, 4), (3, 7), (5, 6), (7, 7), (4, 20), (20, 20)]


def draw_replicas(options: Options, seed: int, *, replicas: int = 2, **sizes: float) -> list[Case]:
    """Draw the same kind of case once per replica, each with its own weights and data."""
    rng = np.random.default_rng(seed)
    return [draw_case(options, rng, **sizes) for _ in range(replicas)]  # type: ignore[arg-type]


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_every_subset_of_paths_with_ragged_starts(options: Options) -> None:
    cases = draw_replicas(options, 1, replicas=1)
    for paths in subsets(options):
        expected = [case.backward(paths) for case in cases]
        assert_gradients(run_cases(cases, GradientFlow(paths)), expected, rtol=RTOL)


@pytest.mark.parametrize(
    ("options", "path"), [pytest.param(o, p, id=f"{o}-{p}") for o in CELLS for p in sorted(o.paths)]
)
def test_each_path_makes_a_difference(options: Options, path: str) -> None:
    (case,) = draw_replicas(options, 2, replicas=1)
    with_path = run_cases([case], full(case))
    without = run_cases([case], GradientFlow(case.options.paths - {path}))
    changed = {
        name for name in with_path.gradients if not torch.equal(with_path.gradients[name], without.gradients[name])
    }
    # o(t) acts on h(t) alone, so its weights feel a cut only through the error that h(t) gets from t + 1
    assert changed >= {name for name in with_path.gradients if not name.endswith("_o") and name != "p_o"}


@pytest.mark.parametrize(("k1", "k2"), WINDOWS)
@pytest.mark.parametrize("options", [RNN, LSTMS[0], LSTMS[-2]], ids=str)
def test_windows_are_the_sum_over_boundaries(options: Options, k1: int, k2: int) -> None:
    for first_target in (0, 4, 6):
        cases = draw_replicas(options, 3, steps=7, first_target=first_target)
        outcome = run_cases(cases, GradientFlow(options.paths, k1, k2), first_target=first_target)
        assert_gradients(outcome, [case.backward(k1=k1, k2=k2) for case in cases], rtol=RTOL, initial=False)


@pytest.mark.parametrize(("k1", "k2"), WINDOWS)
def test_windows_rebuilt_from_cut_out_sequences(k1: int, k2: int) -> None:
    """Each window as a run of its own: full gradient on the cut-out inputs, from the state that stood before them."""
    (case,) = draw_replicas(LSTM, 4, replicas=1, ragged=False)
    cell, steps = cell_of(case), len(case.x)
    parameters = {name: torch.tensor(value[None], requires_grad=True) for name, value in case.parameters.items()}
    inputs, of_h = torch.tensor(case.x[None]), torch.tensor(case.errors.h[None])
    states: list[tuple[torch.Tensor, ...]] = [tuple(torch.tensor(s[None]) for s in case.initial)]
    for t in range(steps):
        states.append(unroll(cell, parameters, inputs=inputs[:, t : t + 1], flow=full(case), initial=states[t])[1])
    loss = torch.zeros((), dtype=torch.float64)
    boundary = steps
    while boundary > 0:
        first, since = max(0, boundary - k2), max(0, boundary - k1)
        initial = tuple(s.detach() for s in states[first])
        h, last = unroll(cell, parameters, inputs=inputs[:, first:boundary], flow=full(case), initial=initial)
        loss = loss + (h[:, since - first :] * of_h[:, since:boundary]).sum()
        if boundary == steps:
            loss = loss + (last[1] * torch.tensor(case.errors.c_last)).sum()
        boundary -= k1
    literal = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))
    outcome = run_cases([case], GradientFlow(case.options.paths, k1, k2))
    for name, gradient in outcome.gradients.items():
        torch.testing.assert_close(gradient, literal[name], rtol=RTOL, atol=0)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_flow_on_any_shape(data: st.DataObject) -> None:
    options = data.draw(st.sampled_from(CELLS))
    steps = data.draw(st.integers(1, 12))
    sizes = {"batch": st.integers(1, 4), "hidden": st.integers(1, 6), "features": st.integers(1, 4)}
    sampled = {name: data.draw(strategy) for name, strategy in sizes.items()}
    first_target = data.draw(st.integers(0, steps - 1))
    paths = data.draw(st.sampled_from(subsets(options)))
    k1, more = data.draw(st.one_of(st.none(), st.integers(1, 13))), data.draw(st.integers(0, 6))
    k2 = None if k1 is None else k1 + more
    seed = data.draw(st.integers(0, 2**16))
    cases = draw_replicas(options, seed, steps=steps, first_target=first_target, **sampled)
    outcome = run_cases(cases, GradientFlow(paths, k1, k2), first_target=first_target)
    expected = [case.backward(paths, k1=k1, k2=k2) for case in cases]
    assert_gradients(outcome, expected, rtol=1e-9, initial=k1 is None)
    for replica, case in enumerate(cases):
        values = torch.tensor(case.forward().h[1 + first_target :])
        torch.testing.assert_close(outcome.h[replica], values, rtol=1e-11, atol=0)


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_windows_as_long_as_the_sequence_are_full_to_the_bit(options: Options) -> None:
    cases = draw_replicas(options, 5, steps=6)
    whole = run_cases(cases, full(cases[0]))
    for k1, k2 in [(6, 6), (6, 9), (40, 40)]:
        windowed = run_cases(cases, GradientFlow(options.paths, k1, k2))
        assert torch.equal(windowed.h, whole.h)
        for name, gradient in whole.gradients.items():
            assert torch.equal(windowed.gradients[name], gradient), name
    shorter = run_cases(cases, GradientFlow(options.paths, 2, 2))
    assert not torch.equal(shorter.gradients[next(iter(shorter.gradients))], next(iter(whole.gradients.values())))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("options", CELLS, ids=str)
def test_forward_values_do_not_depend_on_the_flow(options: Options, dtype: torch.dtype) -> None:
    """To the bit, also at sizes that the matrix product does not cut into equal blocks."""
    for batch, hidden, features in [(5, 7, 3), (1, 33, 10)]:
        cases = draw_replicas(options, 6, replicas=3, steps=5, batch=batch, hidden=hidden, features=features, scale=0.3)
        whole = run_cases(cases, full(cases[0]), dtype=dtype)
        flows = [GradientFlow(paths) for paths in subsets(options) if len(paths) < 2]
        for flow in [*flows, GradientFlow(options.paths, 1, 1), GradientFlow(options.paths, 2, 3)]:
            outcome = run_cases(cases, flow, dtype=dtype)
            assert outcome.h.dtype == dtype
            assert torch.equal(outcome.h, whole.h), (flow, batch, hidden, features)
            assert all(torch.equal(a, b) for a, b in zip(outcome.state, whole.state, strict=True)), flow


def test_windows_end_with_the_sequence_and_hand_over_every_loss_once() -> None:
    assert GradientFlow(frozenset(), 3, 5).windows(8) == [Window(0, 0, 2), Window(0, 2, 5), Window(3, 5, 8)]
    assert GradientFlow(frozenset()).windows(8) == [Window(0, 0, 8)]
    for steps in range(1, 15):
        for k1, k2 in WINDOWS:
            windows = GradientFlow(frozenset(), k1, k2).windows(steps)
            assert [t for w in windows for t in range(w.losses, w.end)] == list(range(steps))
            assert all(w.start == max(0, w.end - k2) for w in windows)


@pytest.mark.parametrize(
    ("options", "paths", "message"),
    [
        (RNN, {"recurrent", "peepholes"}, "no path 'peepholes'; its paths: recurrent"),
        (RNN, {"cell"}, "no path 'cell'; its paths: recurrent"),
        (LSTM, {"output_peephole"}, "no path 'output_peephole'; its paths: cell, gates, block_input"),
        (LSTM, {"cell", "gate"}, "no path 'gate'; its paths: cell, gates, block_input"),
    ],
)
def test_paths_that_the_cell_lacks_are_refused(options: Options, paths: set[str], message: str) -> None:
    cell = make_cell(options, features=1, hidden_size=2)
    parameters = {name: torch.zeros(1, *shape) for name, shape in cell.shapes.items()}
    with pytest.raises(ValueError, match=message):
        unroll(cell, parameters, inputs=torch.zeros(1, 3, 1, 1), flow=GradientFlow(frozenset(paths)))


@pytest.mark.parametrize(
    ("k1", "k2", "message"),
    [
        (5, 4, "1 <= k1 <= k2; came: k1 = 5, k2 = 4"),
        (0, 4, "1 <= k1 <= k2; came: k1 = 0, k2 = 4"),
        (-1, 4, "came: k1 = -1"),
        (3, None, "both k1 and k2, or neither; came: k1 = 3, k2 = None"),
        (None, 3, "both k1 and k2, or neither; came: k1 = None, k2 = 3"),
    ],
)
def test_windows_that_are_none_are_refused(k1: int | None, k2: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GradientFlow(frozenset(), k1, k2)
