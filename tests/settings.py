"""Small settings for all tests: of an experiment (`tiny`), and of one training job (`job_settings`, `online_settings`).

TINY is complete, so that no test depends on the numbers of config/default.yaml, and trains for two updates.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from models.lstm import VANILLA
from workflow.experiment.reading import merge

TINY = yaml.safe_load("""
experiment: tiny
grid:
  - {devices: [cpu], tasks: [adding, copy], models: [rnn], gradients: [full]}
  - {devices: [cpu], tasks: [adding], models: [lstm_peephole], gradients: [tbptt]}
seeds: [0, 1, 2]
learning_rates: [0.01]
seeds_per_job: 5
conditions_per_job: 1
threads: 1
checkpoint_minutes: 2
tables: []
figures: [accuracy_versus_lag, solved_versus_lag]
tasks:
  adding: {task: adding, variant: uniform, output: linear, lags: [2, 3], sequences: 64}
  copy: {task: copy, loss: recall, lags: [11], sequences: 64}
  temporal_order: {task: temporal_order, symbols: 2, output: softmax, lags: [8], sequences: 64}
models:
  rnn: {cell: rnn, hidden_size: 2, initialisation: orthogonal}
  lstm: &lstm
    cell: lstm
    hidden_size: 2
    peepholes: false
    input_gate: true
    forget_gate: true
    output_gate: true
    input_activation: tanh
    output_activation: tanh
    coupled_gates: false
    gate_recurrence: false
    forget_bias: 1
    input_bias: 0
  lstm_peephole: {<<: *lstm, peepholes: true}
gradients:
  full: {paths: all}
  truncated_1997: {paths: [cell]}
  tbptt: {paths: all, num_steps: 20}
training:
  protocol: minibatch
  kernel: reference
  dtype: float32
  optimiser: adam
  batch_size: 32
  clip_norm: 1.0
  evaluate_every: 1
  validation_sequences: 16
  test_sequences: 16
baselines: {guesses: 6, bound: 100, scales: [1], validation_sequences: 8, seed: 0}
optimisers:
  adam: {beta1: 0.9, beta2: 0.999, epsilon: 1.0e-8}
  sgd: {momentum: 0.0}
  rmsprop: {decay: 0.9, epsilon: 1.0e-8}
""")
FUSED = {"training": {"kernel": "cpu"}}
TINY_RUNS = {
    "adding/lag=2/rnn/full/seeds=0-2",
    "adding/lag=3/rnn/full/seeds=0-2",
    "copy/lag=11/rnn/full/seeds=0-2",
    "adding/lag=2/lstm_peephole/tbptt/seeds=0-2",
    "adding/lag=3/lstm_peephole/tbptt/seeds=0-2",
}
CELL_PATHS = {"rnn": ["recurrent"], "lstm": ["block_input", "cell", "gates"]}
CELL_OPTIONS: dict[str, dict[str, Any]] = {
    "rnn": {"initialisation": "orthogonal"},
    "lstm": VANILLA | {"peepholes": False, "forget_bias": 1, "input_bias": 0},
}
TASK_OPTIONS: dict[str, dict[str, Any]] = {
    "temporal_order": {"symbols": 2, "output": "softmax"},
    "adding": {"variant": "uniform", "output": "linear"},
    "copy": {"loss": "recall"},
}
FLOWS = {"full": CELL_PATHS["lstm"], "truncated_1997": ["cell"]}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def job_settings(
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
    """Build the settings of a training job with batches of 8 sequences."""
    options = TASK_OPTIONS[task]
    return {
        "device": device,
        "seeds": seeds,
        "learning_rates": learning_rates,
        "task": {"name": task, "task": task, "lag": lag, "sequences": sequences, "options": options},
        "model": {"name": cell, "cell": cell, "hidden_size": hidden_size, "options": CELL_OPTIONS[cell]},
        "gradient": {"name": "full", "paths": CELL_PATHS[cell], "k1": num_steps, "k2": num_steps},
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


def online_settings(*, task: str = "adding", paths: tuple[str, ...] = ("cell",), sequences: int = 45) -> dict[str, Any]:
    """Build the settings of a training job of protocol online: four replicas of the 1997 network."""
    options = {"adding": {"variant": "hochreiter1997", "output": "logistic"}, "long_lag": {"symbols": 2}}[task]
    own = {"block_size": 2, "input_gate_bias": -1, "biases": task == "adding", "bound": 0.5}
    training = {"protocol": "online", "kernel": "reference", "dtype": "float64", "batch_size": 1, "clip_norm": None}
    return {
        "device": "cpu",
        "seeds": [4, 2],
        "learning_rates": [0.5, 1.0],
        "task": {"name": "ours", "task": task, "lag": 10, "sequences": sequences, "options": options},
        "model": {"name": "net", "cell": "lstm_1997", "hidden_size": 4, "options": own},
        "gradient": {"name": "flow", "paths": list(paths), "k1": None, "k2": None},
        "training": training | {"evaluate_every": 10, "validation_sequences": 1, "test_sequences": 64},
        "optimiser": {"name": "sgd", "momentum": 0},
    }


def select_network(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Select what determines the initial networks out of the settings of a job, as for the table of derivatives."""
    task = {name: value for name, value in settings["task"].items() if name != "sequences"}
    return {"seeds": settings["seeds"], "task": task, "model": settings["model"]}


def tiny(**overrides: object) -> dict[str, Any]:
    """Build the configuration of a tiny experiment: TINY with these keys merged over it."""
    return merge(TINY, overrides)
