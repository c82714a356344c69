"""The GRU against `torch.nn.GRU` (reset after), NumPy (both) and, path by path, hand-derived gradients."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from models.cell import load_cell
from models.gradient_flow import GradientFlow
from models.gru import GRUCell
from models.kernels.reference import unroll

T, B, FEATURES, H = 9, 3, 2, 4
RTOL = 1e-10
Array = np.ndarray


def gru(reset: str, *, update_bias: float | str = 0.0, hidden_size: int = H) -> GRUCell:
    return GRUCell(features=FEATURES, hidden_size=hidden_size, reset=reset, update_bias=update_bias)


def draw(seed: int = 0) -> tuple[dict[str, Array], Array, Array, Array]:
    """Return parameters, inputs (T, B, features), h0 (B, H) and a loss that weighs h(t), (T, B, H)."""
    rng = np.random.default_rng(seed)
    parameters = {symbol: 0.8 * rng.normal(size=shape) for symbol, shape in gru("after").shapes.items()}
    return parameters, rng.normal(size=(T, B, FEATURES)), rng.normal(size=(B, H)), rng.normal(size=(T, B, H))


def run(reset: str, paths: frozenset[str], *, seed: int = 0) -> tuple[Array, dict[str, Array]]:
    """Return outputs and gradients of the cell under a gradient flow."""
    parameters, x, h0, of_h = draw(seed)
    named = {
        symbol: torch.tensor(value[None], requires_grad=True) for symbol, value in (parameters | {"h0": h0}).items()
    }
    cell = gru(reset)
    weights = {symbol: named[symbol] for symbol in cell.shapes}
    h, _ = unroll(cell, weights, inputs=torch.tensor(x[None]), flow=GradientFlow(paths), initial=(named["h0"],))
    loss = (h[0] * torch.tensor(of_h)).sum()
    computed = torch.autograd.grad(loss, list(named.values()), allow_unused=True, materialize_grads=True)
    return h[0].detach().numpy(), {symbol: g[0].numpy() for symbol, g in zip(named, computed, strict=True)}


def oracle(reset: str, paths: frozenset[str], *, seed: int = 0) -> tuple[Array, dict[str, Array]]:
    """Return the same from the equations, the gradients derived by hand."""
    p, x, h0, of_h = draw(seed)
    h, steps = [h0], []
    for t in range(T):
        r, u = (1 / (1 + np.exp(-(x[t] @ p[f"W_{g}"] + h[t] @ p[f"U_{g}"] + p[f"b_{g}"]))) for g in "ru")
        recurrent = (r * h[t]) @ p["U_n"] if reset == "before" else r * (h[t] @ p["U_n"])
        n = np.tanh(x[t] @ p["W_n"] + recurrent + p["b_n"])
        h.append(u * h[t] + (1 - u) * n)
        steps.append((r, u, n))
    gradients = {symbol: np.zeros_like(value) for symbol, value in p.items()}
    error = np.zeros_like(h0)
    for t in reversed(range(T)):
        (r, u, n), before, dh = steps[t], h[t], of_h[t] + error
        dn = dh * (1 - u) * (1 - n**2)
        du = dh * (before - n) * u * (1 - u)
        if reset == "before":
            of_product = dn @ p["U_n"].T
            dr, to_h = of_product * before * r * (1 - r), of_product * r
            gradients["U_n"] += (r * before).T @ dn
        else:
            dr, to_h = dn * (before @ p["U_n"]) * r * (1 - r), (dn * r) @ p["U_n"].T
            gradients["U_n"] += before.T @ (dn * r)
        for g, d in {"r": dr, "u": du, "n": dn}.items():
            gradients[f"W_{g}"] += x[t].T @ d
            gradients[f"b_{g}"] += d.sum(axis=0)
            if g != "n":
                gradients[f"U_{g}"] += before.T @ d
        error = np.zeros_like(h0)
        error += dh * u if "leak" in paths else 0
        error += dr @ p["U_r"].T + du @ p["U_u"].T if "gates" in paths else 0
        error += to_h if "candidate" in paths else 0
    return np.stack(h[1:]), gradients | {"h0": error}


SUBSETS = [
    frozenset(path for bit, path in enumerate(("leak", "gates", "candidate")) if subset >> bit & 1)
    for subset in range(8)
]


@pytest.mark.parametrize("paths", SUBSETS, ids=lambda paths: "+".join(sorted(paths)) or "none")
@pytest.mark.parametrize("reset", ["before", "after"])
def test_outputs_and_gradients_are_those_of_the_equations(reset: str, paths: frozenset[str]) -> None:
    (h, computed), (expected_h, expected) = (compute(reset, paths) for compute in (run, oracle))
    assert_allclose(h, expected_h, rtol=RTOL, atol=0)
    for symbol, gradient in expected.items():
        assert_allclose(computed[symbol], gradient, rtol=RTOL, atol=0, err_msg=symbol)


def test_reset_after_is_that_of_torch() -> None:
    p, x, h0, of_h = draw(1)
    layer = torch.nn.GRU(FEATURES, H, dtype=torch.float64)  # rows r z n; its z is our u
    for name, kind in (("weight_ih_l0", "W"), ("weight_hh_l0", "U"), ("bias_ih_l0", "b")):
        stacked = np.concatenate([p[f"{kind}_{g}"] for g in "run"], axis=-1)
        layer.get_parameter(name).data = torch.tensor(stacked.T.copy())
    torch.nn.init.zeros_(layer.bias_hh_l0)
    initial = torch.tensor(h0[None], requires_grad=True)
    h, _ = layer(torch.tensor(x), initial)
    computed_h, computed = run("after", frozenset(gru("after").paths), seed=1)
    assert_allclose(computed_h, h.detach(), rtol=RTOL, atol=0)
    (h * torch.tensor(of_h)).sum().backward()
    for name, kind in (("weight_ih_l0", "W"), ("weight_hh_l0", "U"), ("bias_ih_l0", "b")):
        for g, part in zip("run", layer.get_parameter(name).grad.tensor_split(3), strict=True):
            assert_allclose(computed[f"{kind}_{g}"], part.numpy().T, rtol=RTOL, atol=0, err_msg=f"{kind}_{g}")
    assert_allclose(computed["h0"], initial.grad[0], rtol=RTOL, atol=0)


def test_biases_are_the_given_number_or_spread_over_the_lags() -> None:
    sampled = gru("after", update_bias=2.5).initialise(np.random.default_rng(1), sequence_length=10)
    assert {name: set(value) for name, value in sampled.items() if name[0] == "b"} == {
        "b_r": {0.0},
        "b_u": {2.5},
        "b_n": {0.0},
    }
    many = gru("after", update_bias="chrono", hidden_size=400)
    spread = np.exp(many.initialise(np.random.default_rng(1), sequence_length=50)["b_u"])
    assert spread.min() >= 1
    assert spread.max() <= 49
    quartiles = np.quantile(spread, [0.25, 0.5, 0.75])
    assert (np.abs(quartiles - (1 + 48 * np.array([0.25, 0.5, 0.75]))) < 0.1 * 48).all()  # 4 standard errors


def test_what_is_no_option_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown reset 'never' of cell 'gru'; known: before, after"):
        gru("never")
    with pytest.raises(ValueError, match="update_bias of cell 'gru' must be a number or chrono; came: 'crono'"):
        gru("after", update_bias="crono")
    with pytest.raises(ValueError, match="cell 'gru' takes the options reset, update_bias; came: peepholes"):
        load_cell("gru", features=1, hidden_size=2, options={"peepholes": True})
