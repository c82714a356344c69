"""The arrays that the fused time loop keeps, is given and fills, of one replica; sizes as in `models.kernels.fused`."""

from typing import NamedTuple

from models.kernels.lanes import Array


class Kept(NamedTuple):
    """What the backward pass needs of the steps from `begin` on: K + G H + H numbers per step and column.

    `steps` is T - begin, or 1 if there will be no backward pass.
    """

    s: Array  # (steps + 1, K, P); h(t), and the gates, lie in s[t + 1 - begin, :N]
    a: Array  # (steps, G H, P), activations
    c: Array  # (steps + 1, H, P), or (1, 1, 1) of an RNN


class Errors(NamedTuple):
    """Derivatives of the loss with respect to what `forward` returns."""

    h: Array  # (T - first, B, H)
    last: Array  # (N, P)
    last_c: Array  # (H, P)


class Gradients(NamedTuple):
    """Derivatives of the loss with respect to what `forward` takes."""

    M: Array  # (K, G H)
    p: Array  # (3 H, P), per sequence
    state: Array  # (N, P)
    c0: Array  # (H, P)
    x: Array  # (T, features, P), or (0, 1, 1) if it is not requested


class Scratch(NamedTuple):
    """Where the backward pass works."""

    errors: Array  # (steps, G H + 4, P): net-input errors of the last steps
    Mh: Array  # (N, G H): recurrent weights whose path is open, zero elsewhere
    Mx: Array  # (features, G H): input weights
    total: Array  # (N, P)
    eps: Array  # (N, P)
    dc: Array  # (H, P)
    dx: Array  # (features, P)
