"""A whole update of the training loop: where its time goes, and how much memory it needs."""

import numpy as np
import pandas as pd
import torch

from benchmarks.problem import MODELS
from benchmarks.processes import forget_peak, resident_bytes
from benchmarks.stopwatch import KERNEL_PARTS, PARTS, Stopwatch, TimedTask, timed_kernel
from models.cell import load_cell
from models.gradient_flow import GradientFlow
from models.kernels import load_kernel
from models.network import Network
from tasks.task import load_task
from training.networks import stream
from training.optimisers.adam import Adam
from training.protocol import train
from training.protocols.minibatch import Minibatch
from training.replica import Replica
from training.setup import Setup

BATCH = 32
SEEDS, RATES = 5, (0.001, 0.003, 0.01)
WARM_UP = 5


def run_updates(*, lag: int, hidden_size: int, updates: int, watch: Stopwatch) -> None:
    """Make updates of an LSTM with peepholes on the adding task: 5 seeds times 3 learning rates, so R 15."""
    task = load_task("adding", lag=lag, options={"variant": "uniform", "output": "linear"})
    name, options = MODELS["lstm_peephole"]
    cell = load_cell(name, features=task.features, hidden_size=hidden_size, options=options)
    kernel = load_kernel("cpu", cell=cell, dtype=torch.float32, device=torch.device("cpu"))
    network = Network(cell, outputs=task.outputs, kernel=timed_kernel(kernel, watch))
    seeds = range(SEEDS)
    validation = [task.sample(stream("validation", task="adding", lag=lag, seed=seed), BATCH) for seed in seeds]
    training = [stream("training", task="adding", lag=lag, seed=seed) for seed in seeds]
    replicas = [Replica(seed, rate) for seed in seeds for rate in RATES]
    rngs = [stream("weights", task="adding", lag=lag, seed=replica.seed) for replica in replicas]
    initial = [network.initialise(rng, sequence_length=task.sequence_length) for rng in rngs]
    weights = torch.from_numpy(np.stack(initial)).float()
    setup = Setup(
        network,
        TimedTask(task, watch),
        GradientFlow(frozenset(cell.paths)),
        replicas,
        weights,
        training,
        validation,
        batch_size=BATCH,
        updates=updates,
        evaluate_every=updates,
        clip_norm=1.0,
        optimiser=Adam(beta1=0.9, beta2=0.999, epsilon=1e-8),
    )
    train(Minibatch(setup), watch.lap)


def measure_update(threads: int, updates: int) -> pd.DataFrame:
    """Return milliseconds (median, quartiles) and share of each part of an update at H 32, B 32, T 100, R 15."""
    torch.set_num_threads(threads)
    watch = Stopwatch()
    run_updates(lag=50, hidden_size=32, updates=WARM_UP + updates + 1, watch=watch)
    laps = pd.DataFrame(watch.laps, columns=list(PARTS)).fillna(0.0)
    laps = 1e3 * laps.iloc[1 + WARM_UP : -1]  # the first and the last one hold an evaluation
    laps["whole update"] = laps.sum(axis=1)
    quartiles = laps.quantile(np.array([0.25, 0.5, 0.75])).T
    quartiles.columns = pd.Index(["low_quartile", "milliseconds", "high_quartile"])
    quartiles["share"] = quartiles["milliseconds"] / quartiles["milliseconds"].drop("whole update").sum()
    quartiles.loc["whole update", "share"] = 1.0
    return quartiles.rename_axis("part").reset_index().assign(threads=threads, updates=len(laps))


def kernel_share(table: pd.DataFrame) -> float:
    """Return the share of an update's time that the kernel takes."""
    return float(table.loc[table["part"].isin(KERNEL_PARTS), "share"].sum())


def peak_of_update(threads: int, lag: int, hidden_size: int) -> int:
    """Return the peak of the resident memory, in bytes, of a process that makes an update of R 15, B 32, T = 2 lag."""
    torch.set_num_threads(threads)
    forget_peak()
    run_updates(lag=lag, hidden_size=hidden_size, updates=1, watch=Stopwatch())
    return resident_bytes("VmHWM")
