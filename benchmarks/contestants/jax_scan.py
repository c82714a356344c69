"""JAX, `jit(vmap(value_and_grad(scan)))` over the replicas: an LSTM without peepholes, and an RNN.

The gates are one product per step and the inputs are projected before the scan. XLA takes as many threads as its
process may use CPUs.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contestants import Answer, Prepared
from benchmarks.points import Contestant, Point
from benchmarks.problem import draw

jax.config.update("jax_platforms", "cpu")


def limit(threads: int) -> None:
    """Do nothing: the CPUs of the process are the limit."""


def prepare(contestant: Contestant, point: Point, *, replicas: Sequence[int]) -> Prepared:
    """Prepare the compiled function; the first call compiles it."""
    problem = draw(contestant.model, point, replicas=replicas)
    gates, loss = {"lstm": (["_i", "_f", "_z", "_o"], _lstm), "rnn": ([""], _rnn)}[contestant.model]
    stacked = {
        kind: jnp.asarray(np.concatenate([problem.parameters[f"{kind}{gate}"] for gate in gates], axis=-1))
        for kind in "WUb"
    }
    inputs, loss_weights = jnp.asarray(problem.inputs), jnp.asarray(problem.loss_weights)
    function = jax.jit(jax.vmap(jax.value_and_grad(loss)))

    def run() -> Any:
        return jax.block_until_ready(function(stacked, inputs, loss_weights))

    def answer(result: Any) -> Answer:
        losses, gradient = result
        parts = {kind: np.split(np.asarray(g), len(gates), axis=-1) for kind, g in gradient.items()}
        return Answer(
            float(losses.sum()),
            {f"{kind}{gate}": part for kind in "WUb" for gate, part in zip(gates, parts[kind], strict=True)},
        )

    return Prepared(run, answer)


def _lstm(p: Any, x: Any, w: Any) -> Any:
    """Return the loss of one replica; x (T, B, features), w (B, H)."""

    def step(state: Any, net: Any) -> Any:
        h, c = state
        i, f, z, o = jnp.split(net + h @ p["U"], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(z)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    (h, _), _ = jax.lax.scan(step, (jnp.zeros_like(w), jnp.zeros_like(w)), x @ p["W"] + p["b"])
    return (w * h).sum()


def _rnn(p: Any, x: Any, w: Any) -> Any:
    """Return the loss of one replica; x (T, B, features), w (B, H)."""
    h, _ = jax.lax.scan(lambda h, net: (jnp.tanh(net + h @ p["U"]), None), jnp.zeros_like(w), x @ p["W"] + p["b"])
    return (w * h).sum()
