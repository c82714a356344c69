"""What the truncated gradient of 1997 costs against the full one, in accuracy and in updates to solve.

One row per device, measure and condition, and per group of conditions: a task's model at all lags, all models of a
task, all tasks of a model, and everything. Two gradients without a window are compared, each at its chosen learning
rate: the full one, which every path of the cell carries, and the truncated one, which the cell path alone carries;
their labels do not matter. The pairs are the seeds that were trained under both: they saw the same data and began with
the same weights.
"""

import json
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.experiment.experiment import Experiment
from workflow.statistics.comparison import adjust_by_holm, compare_pairs
from workflow.statistics.replicas import compute_times_to_solve, score_accuracies, select_replicas
from workflow.tables.schema.columns import BASELINE, count, limits, number, text

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


def compute(tables: Mapping[str, pd.DataFrame], experiment: Experiment) -> pd.DataFrame:
    """Compute the costs, those of single conditions first."""
    replicas = select_replicas(tables["summary"], tables["statistics"])
    replicas = replicas.assign(
        flow=_name_flows(replicas, experiment),
        test_accuracy=score_accuracies(replicas["test_accuracy"]),
        updates_to_solve=compute_times_to_solve(replicas),
    )
    rows: list[list] = []
    for device, of_device in replicas.groupby("device", sort=True):
        for measure in ("test_accuracy", "updates_to_solve"):
            pairs = _pair_flows(of_device, measure=measure)
            costs = [_compute_cost(part) for _, part in pairs.groupby(CONDITION, sort=True)]
            adjusted = adjust_by_holm([cost[-2] for cost in costs])
            for rank, (task, model, part) in enumerate(_list_groups(pairs)):
                p_holm = adjusted[rank] if rank < len(adjusted) else np.nan
                *cost, censored = _compute_cost(part)
                lags = "+".join(str(lag) for lag in sorted(set(part["lag"])))
                rows.append([device, task, lags, model, measure, *cost, p_holm, censored])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _name_flows(replicas: pd.DataFrame, experiment: Experiment) -> list[str]:
    """Return per replica `full`, `truncated` or nothing; of two labels of a flow the first counts."""
    columns = ["model", "gradient", "cell", "model_options", "paths", "k1", "num_steps"]
    order = {label: rank for rank, label in enumerate(experiment.config["gradients"])}
    flows = replicas[columns].drop_duplicates(["model", "gradient"]).to_dict("records")
    names: dict[tuple[str, str], str] = {}
    for flow in sorted(flows, key=lambda flow: order[flow["gradient"]]):
        cell = experiment.registry.cells[flow["cell"]]
        every = "+".join(cell.find_paths(json.loads(flow["model_options"])))
        has_window = pd.notna(flow["k1"]) or pd.notna(flow["num_steps"])
        name = "" if has_window or every == "cell" else {every: "full", "cell": "truncated"}.get(flow["paths"], "")
        is_named = any(model == flow["model"] and other == name for (model, _), other in names.items())
        names[flow["model"], flow["gradient"]] = "" if is_named else name
    return [names[key] for key in zip(replicas["model"], replicas["gradient"], strict=True)]


def _pair_flows(replicas: pd.DataFrame, *, measure: str) -> pd.DataFrame:
    """Return one row per task, lag, model and seed that has both flows: `full`, `truncated` and `censored`."""
    key = [*CONDITION, "seed"]
    both = replicas[replicas["flow"] != ""]
    wide = both.pivot(index=key, columns="flow", values=[measure, "solved"]).dropna()
    if not {(measure, "full"), (measure, "truncated")} <= set(wide.columns):
        return pd.DataFrame(columns=[*key, "full", "truncated", "censored"])
    solved = wide["solved", "full"].astype(bool) & wide["solved", "truncated"].astype(bool)
    values = {"full": wide[measure, "full"], "truncated": wide[measure, "truncated"], "censored": ~solved}
    return pd.DataFrame(values).astype({"full": float, "truncated": float}).reset_index()


def _list_groups(pairs: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the task, the model and the pairs of each row of the table, the single conditions first."""
    for names in (CONDITION, ["task", "model"], ["task"], ["model"]):
        for _, part in pairs.groupby(names, sort=True):
            task, model = (str(part[name].iloc[0]) if name in names else ALL for name in ("task", "model"))
            yield task, model, part
    if len(pairs):
        yield ALL, ALL, pairs


def _compute_cost(part: pd.DataFrame) -> list[float]:
    differences = part["truncated"] - part["full"]
    strata: list[NDArray] = [
        differences[rows.index].to_numpy(dtype=float) for _, rows in part.groupby(CONDITION, sort=True)
    ]
    pairs, mean, low, high, p = compare_pairs(strata)
    return [pairs, part["full"].mean(), part["truncated"].mean(), mean, low, high, p, int(part["censored"].sum())]
