"""The fused CPU kernel against the float64 reference, and its replicas' bits: alone, shuffled, on more threads."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cell import Cell
from models.gradient_flow import GradientFlow
from models.kernels import cpu, threads
from tests.models.cases import ALL_LSTMS, CELLS, Options, subsets
from tests.models.kernel_experiment import assert_same_bits, check, draw, flow_of, relative_error, run

WINDOWS = [(None, None), (1, 1), (4, 4), (3, 7), (13, 13), (50, 50)]  # of a sequence of 13 steps
FIRST_TARGETS = [0, 6, 12]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("paths", [0, 1])
@pytest.mark.parametrize("options", CELLS, ids=str)
def test_every_subset_of_paths_agrees_with_the_reference(options: Options, paths: int) -> None:
    for k, subset in enumerate(subsets(options)[paths::2]):
        k1, k2 = WINDOWS[k % len(WINDOWS)]
        flow = GradientFlow(subset, k1, k2)
        first_target = FIRST_TARGETS[k % 3]
        assert relative_error(draw(options, seed=k), flow, first_target=first_target) < 1e-4, (subset, k1, k2)


@pytest.mark.parametrize("first_target", FIRST_TARGETS)
@pytest.mark.parametrize("options", CELLS, ids=str)
def test_every_window_agrees_with_the_reference(options: Options, first_target: int) -> None:
    for k1, k2 in WINDOWS:
        flow = flow_of(options, k1=k1, k2=k2)
        assert relative_error(draw(options), flow, first_target=first_target) < 1e-4, (k1, k2)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_sizes_up_to_a_hidden_size_of_129_agree_with_the_reference(data: st.DataObject) -> None:
    check_sampled(data, longest=100)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_sizes_up_to_300_steps_agree_with_the_reference(data: st.DataObject) -> None:
    check_sampled(data, longest=300)


def check_sampled(data: st.DataObject, *, longest: int) -> None:
    options = data.draw(st.sampled_from(CELLS))
    H, B, T = (data.draw(st.integers(1, most)) for most in (129, 65, longest))
    k2 = data.draw(st.none() | st.integers(1, T + 2))
    k1 = None if k2 is None else data.draw(st.integers(max(k2 // 4, 1), k2))
    flow = GradientFlow(data.draw(st.sampled_from(subsets(options))), k1, k2)
    experiment = draw(options, R=1, T=T, B=B, H=H, features=data.draw(st.integers(1, 12)), seed=H + B + T)
    first_target = data.draw(st.sampled_from([0, T // 2, T - 1]))
    check(experiment, flow, first_target=first_target)


@pytest.mark.parametrize("options", ALL_LSTMS, ids=str)
def test_under_the_1997_truncation_the_error_of_the_initial_hidden_state_is_exactly_zero(options: Options) -> None:
    experiment = draw(options)._replace(starts=torch.zeros(2, 3, dtype=torch.int64))
    gradients = run("cpu", experiment, flow_of(options, cell_only=True))
    assert (gradients["initial 0"] == 0).all()
    assert (gradients["initial 1"] != 0).all()
    assert (run("cpu", experiment, flow_of(options))["initial 0"] != 0).all()


@pytest.mark.parametrize("first_target", [39, 25])
@pytest.mark.parametrize("options", ALL_LSTMS, ids=str)
def test_many_steps_without_a_loss_agree_with_the_reference_under_the_1997_truncation(
    options: Options, first_target: int
) -> None:
    experiment = draw(options, T=40, B=17)
    no_error = tuple(0 * weight for weight in experiment.of_last)
    for sampled in (experiment, experiment._replace(of_last=no_error)):
        for k1, k2 in [(None, None), (20, 30), (7, 7)]:
            flow = flow_of(options, cell_only=True, k1=k1, k2=k2)
            assert relative_error(sampled, flow, first_target=first_target) < 1e-4, (k1, k2)


@pytest.mark.parametrize("options", [options for options in ALL_LSTMS if options.output_gate], ids=str)
def test_under_the_1997_truncation_the_output_gate_learns_from_the_steps_with_a_loss_alone(options: Options) -> None:
    experiment = draw(options, T=60, B=33)
    whole = run("cpu", experiment, flow_of(options, cell_only=True), first_target=59)
    last_step = run("cpu", experiment, flow_of(options, cell_only=True, k1=1, k2=1), first_target=59)
    assert_same_bits({name: whole[name] for name in whole if name.endswith("_o")}, last_step)
    assert not torch.equal(whole["W_z"], last_step["W_z"])


@pytest.mark.parametrize("options", [options for options in ALL_LSTMS if not options.forget_gate], ids=str)
def test_without_a_forget_gate_the_carousel_is_exactly_one(options: Options) -> None:
    experiment = draw(options, R=1, T=200)
    h, c, *gates = experiment.of_last
    last_c = torch.ones_like(c)
    of_last = (0 * h, last_c, *(0 * gate for gate in gates))
    silent = experiment._replace(of_outputs=0 * experiment.of_outputs, of_last=of_last)
    assert torch.equal(run("cpu", silent, flow_of(options, cell_only=True))["initial 1"], last_c.float())


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_no_error_passes_a_window(options: Options) -> None:
    experiment = draw(options)._replace(starts=torch.zeros(2, 3, dtype=torch.int64))
    gradients = run("cpu", experiment, flow_of(options, k1=4, k2=4), first_target=12)
    assert (gradients["inputs"][:, :9] == 0).all()
    assert (gradients["inputs"][:, 9:] != 0).all()
    assert (gradients["initial 0"] == 0).all()


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_a_window_over_the_whole_sequence_has_the_bits_of_full(options: Options) -> None:
    experiment = draw(options)
    assert_same_bits(run("cpu", experiment, flow_of(options, k1=13, k2=13)), run("cpu", experiment, flow_of(options)))


@pytest.mark.parametrize("first_target", FIRST_TARGETS)
@pytest.mark.parametrize("options", CELLS, ids=str)
def test_values_have_the_same_bits_without_a_gradient_and_under_any_window(options: Options, first_target: int) -> None:
    experiment = draw(options, H=33, B=17)
    whole = run("cpu", experiment, flow_of(options), first_target=first_target)
    for k1, k2 in WINDOWS:
        for grad in (False, True):
            computed = run("cpu", experiment, flow_of(options, k1=k1, k2=k2), first_target=first_target, grad=grad)
            values = {name: value for name, value in computed.items() if name.startswith(("outputs", "last"))}
            assert len(values) == 1 + len(experiment.cell.state_sizes)
            assert_same_bits(values, whole)


def replica_flows(options: Options) -> list[GradientFlow]:
    return [flow_of(options), flow_of(options, cell_only=True), flow_of(options, k1=3, k2=7)]


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_a_replica_has_the_same_bits_alone_and_shuffled(options: Options) -> None:
    order = [3, 6, 0, 2, 5, 1, 4]
    experiment = draw(options, R=7, H=33, B=17)
    for flow in replica_flows(options):
        together = run("cpu", experiment, flow)
        shuffled = run("cpu", experiment.select(order), flow)
        assert_same_bits(shuffled, {name: value[order] for name, value in together.items()})
        for r in (0, 4, 6):
            alone = run("cpu", experiment.select([r]), flow)
            assert_same_bits(alone, {name: value[[r]] for name, value in together.items()})


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("options", CELLS, ids=str)
def test_two_threads_have_the_bits_of_one(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "WORTH_A_THREAD", 1)
    experiment = draw(options, R=7, H=33, B=17)
    for flow in replica_flows(options):
        torch.set_num_threads(2)
        two = run("cpu", experiment, flow)
        torch.set_num_threads(1)
        assert_same_bits(two, run("cpu", experiment, flow))


@pytest.mark.usefixtures("two_threads")
def test_there_are_no_more_threads_than_the_work_is_worth() -> None:
    for work, count in ((0, 1), (2 * threads.WORTH_A_THREAD - 1, 1), (10 * threads.WORTH_A_THREAD, 2)):
        assert threads.threads_for(5, work=work) == count
    assert threads.threads_for(1, work=10**12) == 1


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_a_replica_of_nan_is_nan_and_leaves_the_others_as_they_are(options: Options) -> None:
    experiment = draw(options, R=3)
    broken = {name: value.clone() for name, value in experiment.parameters.items()}
    for value in broken.values():
        value[1] = np.nan
    for flow in replica_flows(options):
        healthy = run("cpu", experiment, flow)
        computed = run("cpu", experiment._replace(parameters=broken), flow)
        live = experiment.starts[1].max()
        assert computed["outputs"][1, live:].isnan().all()
        assert computed["last 0"][1].isnan().all()
        assert_same_bits(
            {name: value[[0, 2]] for name, value in computed.items()},
            {name: value[[0, 2]] for name, value in healthy.items()},
        )


def test_non_contiguous_tensors_and_absent_states_are_taken() -> None:
    experiment = draw(CELLS[-1], R=2)
    flow = GradientFlow(frozenset(experiment.cell.paths))
    parameters = {name: value.float() for name, value in experiment.parameters.items()}
    x = experiment.inputs.float()
    zeros = tuple(torch.zeros(2, 3, size) for size in experiment.cell.state_sizes)
    starts = torch.zeros(1, 1, dtype=torch.int32).expand(2, 3)
    turned = x.transpose(1, 2).contiguous().transpose(1, 2)
    plain, last = cpu.unroll(experiment.cell, parameters, inputs=x, flow=flow)
    other, other_last = cpu.unroll(experiment.cell, parameters, inputs=turned, flow=flow, starts=starts, initial=zeros)
    assert torch.equal(plain, other)
    assert all(torch.equal(a, b) for a, b in zip(last, other_last, strict=True))


def test_a_second_derivative_is_refused() -> None:
    experiment = draw(CELLS[0])
    parameters = {name: value.float().requires_grad_() for name, value in experiment.parameters.items()}
    flow = GradientFlow(frozenset(experiment.cell.paths))
    outputs, _ = cpu.unroll(experiment.cell, parameters, inputs=experiment.inputs.float(), flow=flow)
    with pytest.raises(RuntimeError, match=r"differentiated once.*came: create_graph=True; the reference kernel takes"):
        torch.autograd.grad(outputs.sum(), parameters["U"], create_graph=True)


def unknown_cell() -> Cell:
    """Make a cell without a fused version."""
    body = dict.fromkeys(Cell.__abstractmethods__) | {"paths": ("recurrent",), "hidden_size": 5, "state_sizes": (5,)}
    cell: Cell = type("Unknown", (Cell,), body)()
    return cell


def test_other_dtypes_and_cells_are_refused() -> None:
    experiment = draw(CELLS[0])
    flow = GradientFlow(frozenset(experiment.cell.paths))
    single = {name: value.float() for name, value in experiment.parameters.items()}
    for parameters, inputs in ((experiment.parameters, experiment.inputs.float()), (single, experiment.inputs)):
        with pytest.raises(
            ValueError, match=r"came: RNNCell in .*torch\.float64 on cpu; the reference kernel takes any"
        ):
            cpu.unroll(experiment.cell, parameters, inputs=inputs, flow=flow)
    with pytest.raises(ValueError, match=r"came: Unknown in torch\.float32 on cpu"):
        cpu.unroll(unknown_cell(), single, inputs=experiment.inputs.float(), flow=flow)
    with pytest.raises(ValueError, match="no path 'cell'"):
        cpu.unroll(experiment.cell, single, inputs=experiment.inputs.float(), flow=GradientFlow(frozenset({"cell"})))


def test_support_is_for_float32_on_the_cpu_and_known_cells() -> None:
    cell = draw(CELLS[0]).cell
    on_cpu = torch.device("cpu")
    assert cpu.supports(cell, dtype=torch.float32, device=on_cpu)
    assert not cpu.supports(cell, dtype=torch.float64, device=on_cpu)
    assert not cpu.supports(cell, dtype=torch.float32, device=torch.device("cuda"))
    assert not cpu.supports(unknown_cell(), dtype=torch.float32, device=on_cpu)


def test_other_shapes_are_refused() -> None:
    experiment = draw(CELLS[-1], R=2)
    flow = GradientFlow(frozenset(experiment.cell.paths))
    good: dict[str, object] = {"inputs": experiment.inputs.float(), "starts": experiment.starts}
    parameters = {name: value.float() for name, value in experiment.parameters.items()}
    states = tuple(state.float() for state in experiment.initial)
    for change, messages in (
        ({"starts": experiment.starts[:1]}, r"starts must be \(2, 3\).*came: \(1, 3\)"),
        ({"inputs": experiment.inputs[..., :1].float()}, r"inputs must be .*came: \(2, 13, 3, 1\)"),
        ({"inputs": experiment.inputs[:, :0].float()}, r"inputs must be .*came: \(2, 0, 3, 2\)"),
        ({"initial": tuple(state[:1] for state in states)}, r"an initial state must be \(2, 3, 5\).*came: \(1, 3, 5\)"),
        ({"parameters": parameters | {"W_i": parameters["W_i"][:, :1]}}, r"W_i must be \(2, 2, 5\).*came: \(2, 1, 5\)"),
    ):
        given = good | {"parameters": parameters} | change
        with pytest.raises(ValueError, match=messages):
            cpu.unroll(experiment.cell, given.pop("parameters"), flow=flow, **given)


def test_the_memory_of_the_forward_pass_goes_with_the_backward_pass() -> None:
    experiment = draw(CELLS[0])
    parameters = {name: value.float().requires_grad_() for name, value in experiment.parameters.items()}
    flow = GradientFlow(frozenset(experiment.cell.paths))
    outputs, _ = cpu.unroll(experiment.cell, parameters, inputs=experiment.inputs.float(), flow=flow)
    outputs.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        outputs.sum().backward()


def test_a_sum_that_cancels_is_as_exact_as_eager_float32() -> None:
    """The gradient of p_i of a single unit is 0.003, and small beside the terms that it sums."""
    options = next(options for options in CELLS if options.peepholes and not options.output_gate)
    experiment = draw(options, R=1, T=131, B=30, H=1, features=5, seed=162)
    check(experiment, GradientFlow(frozenset({"block_input"}), 1, 4), first_target=65)
