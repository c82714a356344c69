"""The torch module against `torch.nn.LSTM`, the float64 oracle, single modules and the README."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from models import LSTM
from models.gradient_flow import GradientFlow
from tests.models import oracle, oracle_lstm
from tests.models.cases import Case, Options, draw_case
from tests.models.torch_lstm_experiment import SIZES, Run, assert_close, draw, run

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = re.findall(
    r"<!-- run -->\n```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL
)
OPTIONS = [{}, {"batch_first": True}, {"bias": False}, {"num_layers": 3}, {"num_layers": 2, "batch_first": True}]
RTOL = {torch.float64: 1e-12, torch.float32: 1e-5}
CASE = Options("lstm", peepholes=True)
PATHS = frozenset({"cell", "gates", "block_input"})


def twins(dtype: torch.dtype, **options: object) -> tuple[nn.LSTM, LSTM]:
    """Return a `torch.nn.LSTM` and ours with its weights."""
    theirs, ours = nn.LSTM(**SIZES, **options, dtype=dtype), LSTM(**SIZES, **options, dtype=dtype)
    assert ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


@pytest.mark.parametrize("has_states", [True, False])
@pytest.mark.parametrize("batch", [(4,), ()], ids=["batched", "unbatched"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_outputs_and_gradients_are_those_of_torch(
    dtype: torch.dtype, options: dict[str, object], batch: tuple[int, ...], has_states: bool
) -> None:
    theirs, ours = twins(dtype, **options)
    x = draw((7, *batch, 3), seed=1, dtype=dtype)
    x = x.transpose(0, 1) if batch and "batch_first" in options else x
    hx = (
        draw((theirs.num_layers, *batch, 5), seed=2, dtype=dtype),
        draw((theirs.num_layers, *batch, 5), seed=3, dtype=dtype),
    )
    expected = run(theirs, x, hx if has_states else None)
    assert_close(run(ours, x, hx if has_states else None), expected, rtol=RTOL[dtype])


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_windows_are_those_of_torch_run_window_by_window(dtype: torch.dtype, num_layers: int) -> None:
    theirs, ours = twins(dtype, num_layers=num_layers)
    ours.gradient_flow = GradientFlow(PATHS, k1=3, k2=3)
    x = draw((7, 4, 3), seed=1, dtype=dtype)
    hx = (draw((num_layers, 4, 5), seed=2, dtype=dtype), draw((num_layers, 4, 5), seed=3, dtype=dtype))

    class ByWindows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = theirs

        def forward(self, x: Tensor, hx: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            outputs = []
            for window in x.split([1, 3, 3]):
                output, last = self.lstm(window, hx)
                outputs.append(output)
                hx = (last[0].detach(), last[1].detach())
            return torch.cat(outputs), last

    expected = {name.replace("dlstm.", "d"): value for name, value in run(ByWindows(), x, hx).items()}
    assert_close(run(ours, x, hx), expected, rtol=RTOL[dtype])


def of_oracle(case: Case, paths: frozenset[str], *, k1: int | None, k2: int | None) -> Run:
    """Return what the oracle makes of a case, in torch's layout and with one bias vector."""
    trace, gradients = case.forward(), case.backward(paths, k1=k1, k2=k2)
    values = {"output": trace.h[1:], "h_n": trace.h[-1:], "c_n": trace.c[-1:]}
    values |= {"dh_0": gradients.h0[None], "dc_0": gradients.c0[None]}
    values |= {f"d{name}": value for name, value in in_layout_of_torch(gradients.parameters).items()}
    return {name: torch.tensor(value) for name, value in values.items()}


def in_layout_of_torch(parameters: oracle.Parameters) -> dict[str, np.ndarray]:
    """Stack parameters by symbol: i f g o, one row per cell; the peepholes i f o."""
    of_gates = {kind: np.concatenate([parameters[f"{kind}_{gate}"].T for gate in "ifzo"]) for kind in "WUb"}
    peepholes = np.stack([parameters[f"p_{gate}"] for gate in "ifo"])
    names = {"weight_ih_l0": "W", "weight_hh_l0": "U", "bias_ih_l0": "b"}
    return {name: of_gates[kind] for name, kind in names.items()} | {"weight_peephole_l0": peepholes}


def sorted_names(paths: frozenset[str]) -> str:
    return "+".join(sorted(paths))


@pytest.mark.parametrize(("k1", "k2"), [(None, None), (3, 3), (2, 5)])
@pytest.mark.parametrize(
    "paths",
    [oracle_lstm.PATHS - {"gate_recurrence"}, {"cell"}, {"gates", "peepholes"}, {"output_peephole"}],
    ids=sorted_names,
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_peepholes_and_flows_are_those_of_the_oracle(
    dtype: torch.dtype, paths: frozenset[str], k1: int | None, k2: int | None
) -> None:
    case = draw_case(CASE, np.random.default_rng(5), features=3, hidden=5, ragged=False)
    flow = GradientFlow(frozenset(paths), k1, k2)
    lstm = LSTM(**SIZES, peepholes=True, gradient_flow=flow, dtype=torch.float64)
    weights = {name: torch.tensor(value) for name, value in in_layout_of_torch(case.parameters).items()}
    lstm.load_state_dict(weights | {"bias_hh_l0": torch.zeros(20)})
    lstm.to(dtype)
    h_0, c_0 = (torch.tensor(state, dtype=dtype)[None].requires_grad_() for state in (case.h0, case.c0))
    output, (h, c) = lstm(torch.tensor(case.x, dtype=dtype), (h_0, c_0))
    loss = (output * torch.tensor(case.errors.h)).sum() + (c[0] * torch.tensor(case.errors.c_last)).sum()
    leaves = dict(lstm.named_parameters()) | {"h_0": h_0, "c_0": c_0}
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    came = {"output": output, "h_n": h, "c_n": c}
    came |= {f"d{name}": gradient for name, gradient in zip(leaves, gradients, strict=True)}
    assert torch.equal(came.pop("dbias_hh_l0"), came["dbias_ih_l0"])
    assert_close(came, of_oracle(case, frozenset(paths), k1=k1, k2=k2), rtol=RTOL[dtype])


def test_second_derivatives_are_those_of_torch_in_float64_and_refused_in_float32() -> None:
    second = []
    for lstm in twins(torch.float64):
        x = draw((7, 4, 3), seed=1, dtype=torch.float64).requires_grad_()
        (first,) = torch.autograd.grad(lstm(x)[0].square().sum(), x, create_graph=True)
        names, weights = zip(*lstm.named_parameters(), strict=True)
        second.append(dict(zip(names, torch.autograd.grad(first.square().sum(), weights), strict=True)))
    assert_close(*second[::-1], rtol=RTOL[torch.float64])
    output, _ = LSTM(**SIZES)(x.float())
    with pytest.raises(RuntimeError, match=r"the cpu kernel is differentiated once"):
        torch.autograd.grad(output.sum(), x, create_graph=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_truncated_1997_sends_no_error_to_the_first_hidden_state(dtype: torch.dtype) -> None:
    x, hx = draw((7, 4, 3), seed=1, dtype=dtype), (draw((1, 4, 5), seed=2, dtype=dtype),) * 2
    gradients = run(LSTM(**SIZES, peepholes=True, gradient_flow="truncated_1997", dtype=dtype), x, hx)
    assert not gradients["dh_0"].any()
    assert gradients["dc_0"].all()


def test_the_named_flows_are_those_of_the_config() -> None:
    config = yaml.safe_load((ROOT / "config/default.yaml").read_text(encoding="utf-8"))["gradients"]
    lstm = LSTM(**SIZES, peepholes=True, gradient_flow="truncated_1997")
    assert lstm.gradient_flow == GradientFlow(frozenset(config["truncated_1997"]["paths"]))
    for flow in (None, "full"):
        assert LSTM(**SIZES, gradient_flow=flow).gradient_flow == GradientFlow(PATHS)


@pytest.mark.parametrize("has_states", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("batch", [(4,), ()], ids=["batched", "unbatched"])
def test_replicas_are_single_modules_bit_for_bit(batch: tuple[int, ...], batch_first: bool, has_states: bool) -> None:
    options = {**SIZES, "num_layers": 2, "batch_first": batch_first, "peepholes": True}
    torch.manual_seed(3)
    singles = [LSTM(**options) for _ in range(3)]
    torch.manual_seed(3)
    together = LSTM(**options, replicas=3)
    x = draw((3, 7, *batch, 3), seed=1)
    x = x.transpose(1, 2) if batch and batch_first else x
    hx = (draw((3, 2, *batch, 5), seed=2), draw((3, 2, *batch, 5), seed=3)) if has_states else None
    came = run(together, x, hx)
    for r, single in enumerate(singles):
        expected = run(single, x[r], None if hx is None else (hx[0][r], hx[1][r]))
        assert came.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(came[name][r], value), name


def test_calls_that_overlap_do_not_disturb_each_other() -> None:
    lstm, inputs = LSTM(**SIZES), [draw((7, 4, 3), seed=seed) for seed in range(3)]
    alone = [run(lstm, x, None) for x in inputs]
    outputs = [lstm(x)[0] for x in inputs]
    together = [torch.autograd.grad(output.sum(), lstm.weight_hh_l0)[0] for output in outputs]
    for x, before, output, gradient in zip(inputs, alone, outputs, together, strict=True):
        assert torch.equal(output, before["output"])
        (expected,) = torch.autograd.grad(lstm(x)[0].sum(), lstm.weight_hh_l0)
        assert torch.equal(gradient, expected)


def test_it_logs_nothing_and_builds_no_graph_under_no_grad(caplog: pytest.LogCaptureFixture) -> None:
    lstm = LSTM(**SIZES).double()
    with torch.no_grad():
        output, _ = lstm(draw((7, 4, 3), seed=1, dtype=torch.float64))
    assert not output.requires_grad
    assert caplog.records == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_a_gpu_it_agrees_with_the_cpu() -> None:
    lstm, x = LSTM(**SIZES, peepholes=True, replicas=2).double(), draw((2, 7, 4, 3), seed=1, dtype=torch.float64)
    expected = run(lstm, x, None)
    came = run(lstm.cuda(), x.cuda(), None)
    assert_close({name: value.cpu() for name, value in came.items()}, expected, rtol=1e-12)


def test_the_example_of_the_readme_learns() -> None:
    (example,) = EXAMPLES
    assert sum(line != "" for line in example.splitlines()) == 10
    torch.manual_seed(0)
    names: dict[str, Tensor] = {}
    exec(example, names)  # type: ignore[arg-type]
    losses = names["losses"]
    assert losses.shape == (5,)
    assert (losses < 0.2).sum() >= 2, losses  # chance is 1: some of the five networks recall the first sign
