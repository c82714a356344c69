"""From measurements to a table: medians, quartiles, ratios to our kernel, and its share of the machine's peak."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from benchmarks.points import BASE, FEATURES, TORCH, Contestant, Point

POINT, CONTESTANT = list(Point._fields), list(Contestant._fields)
BLOCKS = {"lstm": 4, "rnn": 1}
"""Blocks G of H net inputs, by cell."""


def summarise(measurements: pd.DataFrame, *, peaks: Mapping[int, float]) -> pd.DataFrame:
    """Return one row per point and contestant; `peaks` is the best GFLOP/s of a matrix product by threads.

    `ratio`: its microseconds over those of our kernel at this point, LSTMs over the LSTM with peepholes under `full`,
    RNNs over the RNN; above 1 our kernel is the faster one. `rival`: which of the rivals the row stands for; of the two
    ways to run torch it is the faster one, the other has none. `gflops` counts 2 G H (H + features + 1) B operations
    per step and replica forward and twice as many backward, and only under `full`. `share_of_peak` is over the peak of
    `peak_threads`, as many threads as there are replicas to share out.
    """
    groups = measurements.groupby([*POINT, *CONTESTANT], sort=False)
    table = groups["microseconds"].quantile(np.array([0.25, 0.5, 0.75])).unstack()
    table.columns = pd.Index(["low_quartile", "microseconds", "high_quartile"])
    table["repeats"] = groups.size()
    table["calls"] = groups["calls"].first()
    table = table.reset_index()
    table["ratio"] = table["microseconds"] / _base(table)
    table["rival"] = _rivals(table)
    table["gflops"] = (_operations(table) / table["microseconds"] / 1e3).where(table["gradient"] == "full")
    table["peak_threads"] = table["replicas"].clip(upper=max(peaks))
    table["share_of_peak"] = table["gflops"] / table["peak_threads"].map(lambda threads: _peak(threads, peaks))
    return table


def geometric_mean(ratios: Iterable[float]) -> float:
    """Return the geometric mean; NaN of nothing."""
    logarithms = np.log(list(ratios))
    return float(np.exp(logarithms.mean())) if logarithms.size else float("nan")


def ratios_of(table: pd.DataFrame, *, rival: str, cell: str) -> pd.Series:
    """Return the ratios of a rival for a cell, one per point."""
    return table.loc[(table["rival"] == rival) & (_cells(table) == cell), "ratio"]


def our_rows(table: pd.DataFrame, *, model: str, gradient: str) -> pd.DataFrame:
    """Return the rows of our kernel for a model under a gradient, one per point."""
    ours = (table["implementation"] == BASE) & (table["model"] == model) & (table["gradient"] == gradient)
    return table[ours]


def lost_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the rivals that are faster than our kernel, the worst first."""
    return table[(table["rival"] != "") & (table["ratio"] < 1)].sort_values("ratio", ignore_index=True)


def _cells(table: pd.DataFrame) -> pd.Series:
    return table["model"].str.removesuffix("_peephole")


def _base(table: pd.DataFrame) -> pd.Series:
    ours = pd.concat([our_rows(table, model=model, gradient="full") for model in ("lstm_peephole", "rnn")])
    times = ours.assign(cell=_cells(ours)).set_index([*POINT, "cell"])["microseconds"]
    places = pd.MultiIndex.from_frame(table[POINT].assign(cell=_cells(table)))
    return pd.Series(times.reindex(places).to_numpy(), index=table.index)


def _rivals(table: pd.DataFrame) -> pd.Series:
    names = table["implementation"].where(table["implementation"] != BASE, "")
    torch = table[table["implementation"].isin(TORCH)]
    faster = torch.groupby([*POINT, "model"])["microseconds"].idxmin()
    names[torch.index] = ""
    names[faster] = "torch"
    return names


def _operations(table: pd.DataFrame) -> pd.Series:
    H = table["hidden_size"]
    return 3 * 2 * _cells(table).map(BLOCKS) * H * (H + FEATURES + 1) * table["batch"]


def _peak(threads: int, peaks: Mapping[int, float]) -> float:
    """Return the measured peak of so many threads, or its share of that of all of them."""
    return peaks[threads] if threads in peaks else peaks[max(peaks)] * threads / max(peaks)
