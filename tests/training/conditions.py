"""Settings of small conditions for the tests."""

from typing import Any

from models.lstm import VANILLA

PATHS = {"rnn": ["recurrent"], "lstm": ["block_input", "cell", "gates"]}
OPTIONS: dict[str, dict[str, Any]] = {
    "rnn": {"initialisation": "orthogonal"},
    "lstm": VANILLA | {"peepholes": False, "forget_bias": 1, "input_bias": 0},
}
TASK_OPTIONS: dict[str, dict[str, Any]] = {
    "temporal_order": {"symbols": 2, "output": "softmax"},
    "adding": {"variant": "uniform", "output": "linear"},
    "copy": {"loss": "recall"},
}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def settings(
    *,
    seeds: list[int],
    learning_rates: list[float],
    cell: str = "lstm",
    lag: int = 8,
    task: str = "temporal_order",
    sequences: int = 160,
    hidden_size: int = 6,
    dtype: str = "float64",
    device: str = "cpu",
    optimiser: dict[str, Any] | None = None,
    clip_norm: float | None = 1.0,
    evaluate_every: int = 10,
    num_steps: int | None = None,
) -> dict[str, Any]:
    """Return the settings of a condition with batches of 8 sequences."""
    options = TASK_OPTIONS[task]
    return {
        "device": device,
        "seeds": seeds,
        "learning_rates": learning_rates,
        "task": {"name": task, "task": task, "lag": lag, "sequences": sequences, "options": options},
        "model": {"name": cell, "cell": cell, "hidden_size": hidden_size, "options": OPTIONS[cell]},
        "gradient": {"name": "full", "paths": PATHS[cell], "k1": num_steps, "k2": num_steps},
        "training": {
            "protocol": "minibatch",
            "kernel": "reference",
            "dtype": dtype,
            "batch_size": 8,
            "clip_norm": clip_norm,
            "evaluate_every": evaluate_every,
            "validation_sequences": 64,
            "test_sequences": 128,
        },
        "optimiser": optimiser or ADAM,
    }
