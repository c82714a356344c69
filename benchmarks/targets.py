"""What the fused kernel must reach, and whether it does."""

import math
from typing import NamedTuple

import pandas as pd

from benchmarks.ratios import geometric_mean, our_rows, ratios_of

MEMORY_LIMIT = 2.5e9
"""Bytes of the process that makes a whole update of R 15, H 64, B 32, T 2000."""


class Target(NamedTuple):
    """A number that was measured and what it must be; without a relation it is only reported."""

    target: str
    relation: str
    demanded: float
    measured: float

    @property
    def verdict(self) -> str:
        """Return met, missed, reported or not measured."""
        if math.isnan(self.measured):
            return "not measured"
        if not self.relation:
            return "reported"
        met = self.measured >= self.demanded if self.relation == ">=" else self.measured <= self.demanded
        return "met" if met else "missed"


def speed_targets(table: pd.DataFrame) -> list[Target]:
    """Return the targets of the speed table: those of many replicas, and what one replica alone gains, reported."""
    grid, alone = table[table["replicas"] > 1], table[table["replicas"] == 1]
    torch_lstm, torch_rnn = (ratios_of(grid, rival="torch", cell=cell) for cell in ("lstm", "rnn"))
    jax_lstm, jax_rnn = (ratios_of(grid, rival="jax", cell=cell) for cell in ("lstm", "rnn"))
    eager = ratios_of(grid, rival="reference", cell="lstm")
    peephole = 1 / our_rows(grid, model="lstm", gradient="full")["ratio"]
    targets = [
        Target("nn.LSTM over our LSTM with peepholes, geometric mean", ">=", 3, geometric_mean(torch_lstm)),
        Target("nn.LSTM over our LSTM with peepholes, worst", ">=", 1, torch_lstm.min()),
        Target("nn.RNN over our RNN, geometric mean", ">=", 5, geometric_mean(torch_rnn)),
        Target("nn.RNN over our RNN, worst", "", math.nan, torch_rnn.min()),
        Target("JAX LSTM over our LSTM with peepholes, geometric mean", ">=", 5, geometric_mean(jax_lstm)),
        Target("JAX RNN over our RNN, geometric mean", ">=", 5, geometric_mean(jax_rnn)),
        Target("eager torch over our LSTM, geometric mean", "", math.nan, geometric_mean(eager)),
        *_peak_targets(table),
        Target("with peepholes over without, geometric mean", "<=", 1.15, geometric_mean(peephole)),
        Target("with peepholes over without, worst", "<=", 1.15, peephole.max()),
    ]
    for gradient, demanded in (("truncated_1997", 0.6), ("tbptt", 0.55)):
        ratios = our_rows(grid, model="lstm_peephole", gradient=gradient)["ratio"]
        targets.append(Target(f"{gradient} over full, geometric mean", "<=", demanded, geometric_mean(ratios)))
        targets.append(Target(f"{gradient} over full, worst", "<=", demanded, ratios.max()))
    for rival in ("torch", "jax"):
        for cell in ("lstm", "rnn"):
            mean = geometric_mean(ratios_of(alone, rival=rival, cell=cell))
            targets.append(Target(f"one replica alone: {rival} {cell} over ours, geometric mean", "", math.nan, mean))
    return targets


def memory_targets(growth: pd.DataFrame, update: float) -> list[Target]:
    """Return the targets of the memory table and of the whole update's peak in bytes."""
    name = "peak memory of a whole update at R 15, H 64, B 32, T 2000, GB"
    linear = min(rows["bytes"].corr(rows["value"]) ** 2 for _, rows in growth.groupby("axis"))
    excess = (growth["bytes"] / growth["documented"]).max()
    return [
        Target(name, "<=", MEMORY_LIMIT / 1e9, update / 1e9),
        Target("memory linear in T, R and B, worst r squared", ">=", 0.99, linear),
        Target("memory of a call over the documented formula, worst", "", math.nan, excess),
    ]


def update_targets(*, kernel_share: float, first_update: float) -> list[Target]:
    """Return the targets of a whole update and of the start of a job."""
    return [
        Target("share of an update's time that the kernel takes", ">=", 0.7, kernel_share),
        Target("from the start of a job to its first update, warm cache, seconds", "<=", 4, first_update),
    ]


def online_targets(table: pd.DataFrame) -> list[Target]:
    """Return the targets of online training: its speed, one replica alone and eight, and that no alphabet slows it."""
    ours = table[(table["implementation"] == "online") & (table["inputs"] == "one_hot")]
    best = ours.set_index(["gradient", "replicas", "weights"])["best"]
    reached = []
    for gradient in ("truncated_1997", "full"):
        for replicas, network_count in ((1, "one replica alone"), (8, "8 replicas")):
            name = f"online, 156 weights, {gradient}, {network_count}, microseconds per step"
            reached.append(Target(name, "<=", 1.0, float(best[gradient, replicas, 156])))
    growth = max(
        best[gradient, replicas, 6064] / best[gradient, replicas, 364]
        for gradient in ("truncated_1997", "full")
        for replicas in (1, 8)
    )
    eager = table.loc[table["implementation"] == "reference", "ratio"]
    return [
        *reached,
        Target("online, alphabet of 1004 over one of 54, worst", "<=", 1.5, float(growth)),
        Target("online, eager torch over ours, geometric mean", "", math.nan, geometric_mean(eager)),
    ]


def jobs_targets(*, one_by_one: float, at_once: float) -> list[Target]:
    """Return what two jobs of one thread gain by running at the same time."""
    return [Target("two jobs one after the other over both at once", "", math.nan, one_by_one / at_once)]


def to_table(targets: list[Target]) -> pd.DataFrame:
    """Return one row per target, with its verdict."""
    return pd.DataFrame([target._asdict() | {"verdict": target.verdict} for target in targets])


def _peak_targets(table: pd.DataFrame) -> list[Target]:
    """Return the worst share of the peak at H 64 and 128; one replica is compared with the peak of one thread."""
    ours = our_rows(table, model="lstm_peephole", gradient="full")
    ours = ours[ours["hidden_size"].isin([64, 128])]
    return [
        Target(f"share of the sgemm peak at H {H}, R {R}, worst", ">=", 0.5, rows["share_of_peak"].min())
        for (R, H), rows in ours.groupby(["replicas", "hidden_size"])
    ]
