"""A synthetic experiment: run records whose curves and outcomes look like those of real training."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from tests.analysis.tables import compute, compute_of, select_lags
from tests.settings import CELL_OPTIONS, CELL_PATHS
from workflow.figures.style.look import Labels, Tables

SERIES = [
    ("rnn", "full"),
    ("rnn", "tbptt"),
    ("lstm", "full"),
    ("lstm", "truncated_1997"),
    ("lstm", "tbptt"),
    ("lstm_peephole", "full"),
    ("lstm_peephole", "truncated_1997"),
    ("lstm_peephole", "tbptt"),
]
REACH = {"rnn": 20, "lstm": 160, "lstm_peephole": 110}
PATHS = {"rnn": CELL_PATHS["rnn"], "lstm": CELL_PATHS["lstm"]}
PATHS |= {"lstm_peephole": [*CELL_PATHS["lstm"], "output_peephole", "peepholes"]}
SHARE = {"full": 1.0, "truncated_1997": 0.6, "tbptt": 0.25}
CHANCE = {"adding": 0.078, "copy": 0.125, "temporal_order": 0.25}
LABELS = Labels(
    models=("rnn", "lstm", "lstm_peephole"),
    gradients=("full", "truncated_1997", "tbptt"),
    tasks=("adding", "copy", "temporal_order"),
)
FLOORS = {  # by whether the window shows the lag
    True: lambda chance: {"loss": 0.0, "accuracy": 1.0},
    False: lambda chance: {"loss": 1.5, "accuracy": chance},
}
GUESSING = {"guesses": 1000, "bound": 100, "scales": [1, 3, 10], "validation_sequences": 100, "seed": 0}
EVALUATE_EVERY, BUDGET, BATCH = 50, 2000, 32


def make_settings(
    *, task: str, lag: int, model: str, gradient: str, seeds: Sequence[int], rates: Sequence[float], device: str = "cpu"
) -> dict:
    """Make the settings of one training job, as the configuration package writes them."""
    lstm = model != "rnn"
    window = 20 if gradient == "tbptt" else None
    return {
        "device": device,
        "seeds": list(seeds),
        "learning_rates": list(rates),
        "task": {"name": task, "task": task, "lag": lag, "sequences": BUDGET * BATCH, "options": {}},
        "model": {
            "name": model,
            "cell": "lstm" if lstm else "rnn",
            "hidden_size": 32,
            "options": CELL_OPTIONS["lstm"] | {"peepholes": model == "lstm_peephole"} if lstm else CELL_OPTIONS["rnn"],
        },
        "gradient": {
            "name": gradient,
            "paths": ["cell"] if gradient == "truncated_1997" else PATHS[model],
            "k1": window,
            "k2": window,
        },
        "training": {
            "protocol": "minibatch",
            "kernel": "reference",
            "dtype": "float32",
            "batch_size": BATCH,
            "clip_norm": 1.0,
            "evaluate_every": EVALUATE_EVERY,
            "validation_sequences": 512,
            "test_sequences": 2560,
        },
        "optimiser": {"name": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    }


def make_run(settings: dict, *, solvable: bool = True) -> dict:
    """Make one run record: learning is a logistic curve in the logarithm of the updates, slower at larger lags."""
    task, lag = settings["task"]["name"], settings["task"]["lag"]
    model, gradient = settings["model"]["name"], settings["gradient"]["name"]
    chance, window = CHANCE[task], settings["gradient"]["k2"]
    replicas, curves = [], []
    for seed in settings["seeds"]:
        for rate in settings["learning_rates"]:
            key = [seed, lag, round(rate * 1e6), *f"{task}{model}{gradient}".encode()]
            rng = np.random.default_rng(key)
            reach = REACH[model] * SHARE.get(gradient, 0.25) * (1.0 if rate == max(settings["learning_rates"]) else 0.7)
            middle = 250 * (lag / reach) ** 1.3 * math.exp(0.35 * rng.normal()) * (1 if solvable else 1e6)
            points = []
            for update in range(0, BUDGET + 1, EVALUATE_EVERY):
                learned = 1 / (1 + (middle / max(update, 1)) ** 3)
                accuracy = chance + (1 - chance) * learned + 0.01 * rng.normal() * (1 - learned)
                points.append((update, float(np.clip(accuracy, 0, 1)), float(1.5 * (1 - learned) + 0.01)))
                if points[-1][1] >= 0.99:
                    break
            solved = points[-1][1] >= 0.99
            best = max(points, key=lambda point: point[1])
            name = {"seed": seed, "learning_rate": rate}
            replicas.append(
                name
                | {"parameters": 4545, "updates": points[-1][0], "updates_to_solve": best[0] if solved else None}
                | {"solved": solved, "diverged": False, "best_update": best[0]}
                | {"validation_loss": best[2], "validation_accuracy": best[1], "validation_exact_match": best[1] ** 2}
                | {"test_loss": best[2], "test_accuracy": best[1] - 0.002, "test_exact_match": best[1] ** 2}
            )
            curves += [
                name
                | {"update": update, "train_loss": loss if update else None}
                | {"validation_loss": loss, "validation_accuracy": accuracy}
                for update, accuracy, loss in points
            ]
    return {
        "settings": settings,
        "sources": "5" * 64,
        "sequence_length": 2 * lag,
        "kernel": "reference",
        "success_accuracy": 0.99,
        "scored_steps": 10 if task == "copy" else 1,
        "chance": {"loss": 1.5, "accuracy": chance},
        "floor": FLOORS[window is None or window > lag](chance),
        "replicas": replicas,
        "curves": curves,
    }


def make_runs(
    *,
    series: Sequence[tuple[str, str]] = tuple(SERIES),
    tasks: Sequence[str] = LABELS.tasks,
    lags: Sequence[int] = (10, 25, 50, 100, 200),
    seeds: Sequence[int] = range(5),
    rates: Sequence[float] = (0.003, 0.01),
    devices: Sequence[str] = ("cpu",),
    solvable: bool = True,
) -> list[dict]:
    """Make the run records of a full cross product."""
    return [
        make_run(
            make_settings(task=task, lag=lag, model=model, gradient=gradient, seeds=seeds, rates=rates, device=device),
            solvable=solvable,
        )
        for device in devices
        for task in tasks
        for lag in lags
        for model, gradient in series
    ]


def make_tables(runs: Sequence[dict]) -> Tables:
    """Make what the figures read from run records."""
    summary = compute_of("summary", runs)
    statistics, baselines = compute("statistics", summary=summary), make_baselines(runs)
    needs = {
        "baselines": baselines,
        "surface": compute("surface", summary=summary, statistics=statistics, baselines=baselines),
    }
    return Tables(summary, statistics, select_lags(compute_of("curves", runs)), LABELS, needs)


def make_baselines(runs: Sequence[dict]) -> pd.DataFrame:
    """Make the table of baselines of run records: guessing is a little better than chance, and solves lag 10."""
    records = {}
    for run in runs:
        settings = run["settings"]
        accuracy = 1.0 if settings["task"]["lag"] == 10 else run["chance"]["accuracy"] + 0.02
        record = {name: run[name] for name in ("chance", "success_accuracy")}
        record |= {"settings": {name: settings[name] for name in ("device", "task", "model")} | {"guessing": GUESSING}}
        record |= {"best": {"test_accuracy": accuracy, "test_loss": 1.4}}
        records[settings["device"], settings["task"]["name"], settings["task"]["lag"], settings["model"]["name"]] = (
            record
        )
    return compute_of("baselines", list(records.values()))


@pytest.fixture(scope="session")
def settings_of() -> Callable[..., dict]:
    return make_settings


@pytest.fixture(scope="session")
def run_of() -> Callable[..., dict]:
    return make_run


@pytest.fixture(scope="session")
def runs_of() -> Callable[..., list[dict]]:
    return make_runs


@pytest.fixture(scope="session")
def tables_of() -> Callable[[Sequence[dict]], Tables]:
    return make_tables


@pytest.fixture(scope="session")
def full_tables() -> Tables:
    """Eight series, three tasks, five lags, five seeds, two learning rates."""
    return make_tables(make_runs())


@pytest.fixture(scope="session")
def full_comparisons(full_tables: Tables):
    return compute("comparisons", summary=full_tables.summary, statistics=full_tables.statistics)
