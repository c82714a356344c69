"""Which hyperparameter matters: the variance of test accuracy over the trials of a random search, shared out.

One row per device, task, lag, variant and gradient. The shares are Sobol indices of a polynomial regression on the
logarithms of both hyperparameters; Greff et al. 2017 ask the same of a random forest (fANOVA, Hutter et al. 2014).
Their intervals are too narrow: of 96 trials they cover the truth in 80 to 95 % of cases, and in as few as 38 % where
the remainder is almost 0.
"""

from collections.abc import Iterator
from typing import Any

from workflow.experiment.experiment import Experiment
from workflow.statistics.intervals import Interval
from workflow.statistics.replicas import list_groups, score_accuracies
from workflow.statistics.trials import SEARCHED, rank_trials
from workflow.statistics.variance_shares import map_to_unit, share_variance
from workflow.tables import odyssey
from workflow.tables.schema.columns import Frames, estimate, number

NEEDS = ("summary",)
REQUIRES = "search"
KEY = tuple(SEARCHED)
COLUMNS = {
    **{name: odyssey.COLUMNS[name] for name in (*SEARCHED, "trials")},
    "deviation": number("standard deviation of test accuracy over the trials; the shares are of its square"),
    **estimate("learning_rate_share", "share of the learning rate", by="wild bootstrap"),
    **estimate("hidden_size_share", "share of the hidden size", by="wild bootstrap"),
    **estimate("interaction_share", "share of both together", by="wild bootstrap"),
    **estimate("rest_share", "the remainder: seeds, and what no polynomial follows", by="wild bootstrap"),
}
SHARES = ("learning_rate_share", "hidden_size_share", "interaction_share", "rest_share")


def compute(tables: Frames, experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Compute the shares of every variant."""
    search = experiment.config["search"]
    size, rate = search["hidden_size"], search["learning_rate"]
    for key, trials in list_groups(rank_trials(tables["summary"], variants=search["variants"]), SEARCHED):
        u = map_to_unit(trials["learning_rate"].to_numpy(float), low=rate["from"], high=rate["to"])
        v = map_to_unit(trials["hidden_size"].to_numpy(float), low=size["from"] - 0.5, high=size["to"] + 0.5)
        values = score_accuracies(trials["test_accuracy"])
        row = key | {"trials": len(trials), "deviation": values.std(ddof=1)}
        for name, (share, *limits_of) in zip(SHARES, share_variance(values, u=u, v=v).values(), strict=True):
            row |= {name: share, **Interval(*limits_of).to_columns(name)}
        yield row
