"""Exact derivatives in float64 at the initial weights: one row per task, lag, model, flow and seed.

C is the loss of the last step. J = dc(t)/dc(t-1) is taken at 16 steps of 4 sequences.
"""

from workflow.tables.schema.columns import BASELINE, count, number, text

ENTRY = "training/gradients/derivatives.py"
SETTINGS = "networks"
KEY = ("task", "lag", "model", "flow", "seed")
COLUMNS = {
    **{name: BASELINE[name] for name in ("task", "lag", "model")},
    "flow": text(
        "the paths that carry error: `full`, `truncated_1997` (the cell alone), or the cell with one other path, "
        "`cell_and_gates` ..."
    ),
    "seed": count("seed of the initial weights"),
    "deviation_from_one": number("the largest entry of J - 1; an RNN has none"),
    "deviation_from_gate": number("the largest entry of J - diag f(t), f = 1 without a forget gate; an RNN has none"),
    "added": number("median spectral norm of J - diag f(t): what the flow adds to the cell's own derivative"),
    "factor_per_step": number(
        "(norm of dC/dc(T-u) over that of dC/dc(T)) to the power 1/u, at u = lag; of dC/dh for an RNN"
    ),
    "sum_deviation": number(
        "distance between the sum of the terms dC/dW(T-u) and the gradient, over the gradient's norm"
    ),
    "whole_over_largest": number("norm of the gradient over that of the largest term"),
    "lag_over_largest": number("norm of the term at u = lag over that of the largest"),
    "beyond_lag": number("norm of the sum of the terms with u >= lag over that of the gradient"),
}
