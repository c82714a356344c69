"""Known answers about gradients: the constant error carousel, the 1997 truncation, finite differences, replicas."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from models.gradient_flow import GradientFlow
from models.kernels.reference import unroll
from tests.models import oracle
from tests.models.cases import ALL_LSTMS, CELLS, Case, Options, draw_case
from tests.models.experiment import cell_of, full, run_cases
from tests.models.finite_differences import assert_gradient

CAROUSEL = GradientFlow(frozenset({"cell"}))  # truncated_1997
NO_FORGET_GATE = [options for options in ALL_LSTMS if not options.forget_gate]


def tensors(case: Case, *, grad: bool = True) -> tuple[dict[str, Tensor], Tensor, tuple[Tensor, ...]]:
    """Return parameters, inputs and initial state of a case as tensors of one replica."""
    parameters = {name: torch.tensor(value[None], requires_grad=grad) for name, value in case.parameters.items()}
    initial = tuple(torch.tensor(s[None], requires_grad=grad) for s in case.initial)
    return parameters, torch.tensor(case.x[None]), initial


def carousel(case: Case, flow: GradientFlow) -> Tensor:
    """Return dc(T)/dc(0) of the first sequence of a case: (H, H)."""
    parameters, inputs, initial = tensors(case)
    _, (_, c, *_) = unroll(cell_of(case), parameters, inputs=inputs, flow=flow, initial=initial)
    rows = [torch.autograd.grad(cell, initial[1], retain_graph=True)[0][0, 0] for cell in c[0, 0]]
    return torch.stack(rows)


@pytest.mark.parametrize("options", NO_FORGET_GATE, ids=str)
def test_without_a_forget_gate_the_carousel_is_exactly_one(options: Options) -> None:
    case = draw_case(options, np.random.default_rng(1), steps=100, ragged=False)
    assert torch.equal(carousel(case, CAROUSEL), torch.eye(4, dtype=torch.float64))


@pytest.mark.parametrize("options", [o for o in ALL_LSTMS if o.forget_gate], ids=str)
def test_the_carousel_is_the_product_of_the_forget_gates(options: Options) -> None:
    case = draw_case(options, np.random.default_rng(2), steps=60, ragged=False)
    of_gates = case.forward().gates["f"][:, 0].prod(axis=0)
    assert np.median(of_gates) < 1e-6  # tiny, and still compared relatively
    assert_allclose(carousel(case, CAROUSEL), np.diag(of_gates), rtol=1e-11, atol=0)


@pytest.mark.parametrize("options", ALL_LSTMS, ids=str)
def test_every_other_path_adds_to_the_carousel(options: Options) -> None:
    case = draw_case(options, np.random.default_rng(3), steps=4, ragged=False)
    indirect = {"output_peephole", "gate_recurrence"}  # c reaches o and the gates of t - 1 along other paths alone
    of_output_gate_alone = {"gates"} if not options.input_gate and not options.forget_gate else set()
    for path in options.paths - {"cell"} - indirect - of_output_gate_alone:
        assert not torch.equal(carousel(case, CAROUSEL), carousel(case, GradientFlow(frozenset({"cell", path}))))


@pytest.mark.parametrize("options", ALL_LSTMS, ids=str)
def test_under_the_1997_truncation_no_error_reaches_the_initial_hidden_state(options: Options) -> None:
    case = draw_case(options, np.random.default_rng(4), ragged=False)
    truncated, whole = run_cases([case], CAROUSEL), run_cases([case], full(case))
    assert (truncated.of_initial[0] == 0).all()
    assert (truncated.of_initial[1] != 0).all()
    assert (whole.of_initial[0] != 0).all()


@pytest.mark.parametrize("first_target", [0, 6])
@pytest.mark.parametrize(
    ("options", "output_peephole"),
    [(o, False) for o in ALL_LSTMS] + [(o, True) for o in ALL_LSTMS if "output_peephole" in o.paths],
    ids=str,
)
def test_the_1997_gradient_equals_its_forward_recursion(
    options: Options, output_peephole: bool, first_target: int
) -> None:
    rng = np.random.default_rng(5)
    cases = [draw_case(options, rng, first_target=first_target, gates_in_loss=False) for _ in range(2)]
    paths = {"cell", "output_peephole"} if output_peephole else {"cell"}
    outcome = run_cases(cases, GradientFlow(frozenset(paths)), first_target=first_target)
    for replica, case in enumerate(cases):
        expected = case.rtrl(output_peephole=output_peephole)
        for name, gradient in outcome.gradients.items():
            assert_allclose(gradient[replica], expected[name], rtol=1e-10, atol=0, err_msg=name)


@pytest.mark.parametrize("options", ALL_LSTMS, ids=str)
def test_error_that_enters_the_carousel_is_worth_the_same_however_far_back(options: Options) -> None:
    """H&S 1997, eq. 41: without a forget gate an input q steps back gets the same error for every q."""
    case = draw_case(options, np.random.default_rng(6), steps=8, ragged=False, first_target=7, gates_in_loss=False)
    case = case._replace(x=np.zeros_like(case.x))
    eps_c = case.backward(frozenset({"cell"})).eps_c
    parameters, inputs, _ = tensors(case)
    shift = torch.zeros(8, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    state: tuple[Tensor, ...] = tuple(torch.tensor(s[None]) for s in case.initial)
    for t in range(8):
        state = (state[0], state[1] + shift[t], *state[2:])
        h, state = unroll(cell_of(case), parameters, inputs=inputs[:, t : t + 1], flow=CAROUSEL, initial=state)
    loss = (h[0, 0] * torch.tensor(case.errors.h[-1])).sum() + (state[1][0] * torch.tensor(case.errors.c_last)).sum()
    (of_shift,) = torch.autograd.grad(loss, shift)  # error on c(t - 1) as step t sees it
    assert_allclose(of_shift[1:, 0], eps_c[:-1], rtol=1e-10, atol=0)
    same = torch.equal(of_shift, of_shift[-1:].expand_as(of_shift))
    assert same == (not options.forget_gate)


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_full_gradient_agrees_with_finite_differences(options: Options) -> None:
    """With ragged starts, and that of the inputs and the initial state too."""
    rng = np.random.default_rng(7)
    cases = [draw_case(options, rng, steps=3, batch=2, hidden=2) for _ in range(2)]
    cell, starts = cell_of(cases[0]), torch.tensor([[0, 1], [2, 0]])
    replicas = [tensors(case, grad=False) for case in cases]
    leaves = {name: torch.cat([p[name] for p, _, _ in replicas]) for name in cell.shapes}
    leaves["x"] = torch.cat([x for _, x, _ in replicas])
    states = [torch.cat(parts) for parts in zip(*(s for _, _, s in replicas), strict=True)]
    leaves |= {f"state {k}": state for k, state in enumerate(states)}

    def loss(leaves: Mapping[str, Tensor]) -> Tensor:
        parameters = {name: leaves[name] for name in cell.shapes}
        initial = tuple(leaves[f"state {k}"] for k in range(len(states)))
        h, last = unroll(cell, parameters, inputs=leaves["x"], flow=full(cases[0]), starts=starts, initial=initial)
        values = torch.cat([part.flatten() for part in (h, *last)])
        return (values * torch.cos(torch.arange(values.numel()))).sum()

    assert_gradient(loss, {name: value.requires_grad_() for name, value in leaves.items()})


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_no_gradient_crosses_between_replicas(options: Options) -> None:
    rng = np.random.default_rng(8)
    cases = [draw_case(options, rng, ragged=False) for _ in range(3)]
    silent = [case._replace(errors=oracle.Errors(*(0 * error for error in case.errors))) for case in cases]
    for replica in range(3):
        heard = [case if r == replica else silent[r] for r, case in enumerate(cases)]
        for name, gradient in run_cases(heard, full(cases[0])).gradients.items():
            for other in range(3):
                assert bool((gradient[other] == 0).all()) == (other != replica), name


@pytest.mark.parametrize("flow", ["full", "truncated_1997", "tbptt"])
@pytest.mark.parametrize("options", CELLS, ids=str)
def test_a_replica_of_nan_leaves_the_others_as_they_are(options: Options, flow: str) -> None:
    rng = np.random.default_rng(9)
    cases = [draw_case(options, rng) for _ in range(3)]
    broken = [*cases]
    broken[1] = cases[1]._replace(parameters={name: value * np.nan for name, value in cases[1].parameters.items()})
    named = {
        "full": full(cases[0]),
        "truncated_1997": GradientFlow(options.paths & {"cell"}),
        "tbptt": GradientFlow(options.paths, 2, 3),
    }
    healthy, outcome = run_cases(cases, named[flow]), run_cases(broken, named[flow])
    assert outcome.h[1].isnan().any()
    for mine, theirs in zip(
        (outcome.h, *outcome.gradients.values()), (healthy.h, *healthy.gradients.values()), strict=True
    ):
        assert torch.equal(mine[[0, 2]], theirs[[0, 2]])
        assert mine[[0, 2]].isfinite().all()
