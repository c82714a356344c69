"""What the truncated gradient of 1997 costs against the full one, in accuracy and in updates to solve.

One row per device, measure and condition, and per group of conditions: a task's model at all lags, all models of a
task, all tasks of a model, and everything. Two gradients without a window are compared, each at its chosen learning
rate: the full one, which every path of the cell carries, and the truncated one, which the cell path alone carries;
their labels do not matter. The pairs are the seeds that were trained under both: they saw the same data and began with
the same weights.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.statistics.comparison import adjust_by_holm, compare_pairs
from workflow.statistics.replicas import compute_times_to_solve, score_accuracies, select_replicas
from workflow.tables.schema.columns import BASELINE, Frames, count, limits, number, text

NEEDS = ("summary", "statistics")
KEY = ("device", "task", "lags", "model", "measure")
COLUMNS = {
    "device": BASELINE["device"],
    "task": text("label of the task; `all` in a mean over tasks"),
    "lags": text("its lag, or in a mean the lags, joined by +"),
    "model": text("label of the model; `all` in a mean over models"),
    "measure": text(
        "`test_accuracy`, or `updates_to_solve` restricted to the budget: a seed that does not solve the task counts "
        "with the updates of its budget, a lower bound of its time"
    ),
    "pairs": count("pairs of runs with the same seed"),
    "full": number("mean under the full gradient"),
    "truncated": number("mean under the truncated gradient"),
    "difference": number("mean of truncated minus full"),
    **limits(by="bootstrap, seeds resampled within each condition"),
    "p": number("of a sign-flip permutation test"),
    "p_holm": number("corrected over the conditions of a device and measure; empty for means over several"),
    "censored": count("pairs of which one or both did not solve the task"),
}
ALL = "all"
CONDITION = ["task", "lag", "model"]


def compute(tables: Frames, experiment: Experiment) -> list[dict[str, Any]]:
    """Compute the costs, those of single conditions first."""
    replicas = select_replicas(tables["summary"], tables["statistics"])
    replicas = replicas.assign(
        test_accuracy=score_accuracies(replicas["test_accuracy"]), updates_to_solve=compute_times_to_solve(replicas)
    )
    flows = replicas.merge(_name_flows(replicas, experiment), on=["model", "gradient"])
    full, truncated = (flows[flows["flow"] == flow] for flow in ("full", "truncated"))
    key = ["device", *CONDITION, "seed"]
    pairs = full.merge(truncated, on=key, suffixes=("_full", "_truncated"), validate="one_to_one")
    rows = []
    for device, of_device in pairs.groupby("device", sort=True):
        groups = [*_list_groups(of_device)]
        for measure in ("test_accuracy", "updates_to_solve"):
            costs = [_compute_cost(part, names, measure=measure) for names, part in groups]
            of_conditions = ["lag" in names for names, _ in groups]
            adjusted = adjust_by_holm(np.where(of_conditions, [cost["p"] for cost in costs], np.nan))
            for cost, p_holm in zip(costs, adjusted, strict=True):
                rows.append(cost | {"device": device, "measure": measure, "p_holm": p_holm})
    return rows


def _name_flows(replicas: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Return the models and gradients whose flow is `full` or `truncated`; of two labels of a flow the first counts."""
    order = {label: rank for rank, label in enumerate(experiment.config["gradients"])}
    networks = replicas.drop_duplicates(["model", "gradient"]).to_dict("records")
    flows = []
    for network in sorted(networks, key=lambda network: order[network["gradient"]]):
        cell = experiment.registry.cells[network["cell"]]
        every = "+".join(cell.find_paths(json.loads(network["model_options"])))
        has_window = pd.notna(network["k1"]) or pd.notna(network["num_steps"])
        names = {} if has_window or every == "cell" else {every: "full", "cell": "truncated"}
        flows.append((network["model"], network["gradient"], names.get(network["paths"])))
    return pd.DataFrame(flows, columns=["model", "gradient", "flow"]).dropna().drop_duplicates(["model", "flow"])


def _list_groups(pairs: pd.DataFrame) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Yield the pairs of each row of the table and what they have in common, the single conditions first."""
    for names in (CONDITION, ["task", "model"], ["task"], ["model"]):
        for _, part in pairs.groupby(names, sort=True):
            yield names, part
    yield [], pairs


def _compute_cost(part: pd.DataFrame, names: Sequence[str], *, measure: str) -> dict[str, Any]:
    full, truncated = part[f"{measure}_full"], part[f"{measure}_truncated"]
    differences = truncated - full
    strata = [differences[rows.index].to_numpy(dtype=float) for _, rows in part.groupby(CONDITION, sort=True)]
    pairs, mean, low, high, p = compare_pairs(strata)
    return {
        **{name: part[name].iloc[0] if name in names else ALL for name in ("task", "model")},
        "lags": "+".join(str(lag) for lag in sorted(set(part["lag"]))),
        **{"pairs": pairs, "full": full.mean(), "truncated": truncated.mean()},
        **{"difference": mean, "low": low, "high": high, "p": p},
        "censored": int((~(part["solved_full"] & part["solved_truncated"])).sum()),
    }
