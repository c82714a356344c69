"""The trials of a random search: one row per hidden size, learning rate and seed of a variant, the best first."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from workflow.statistics.replicas import compute_times_to_solve, score_accuracies

SEARCHED = ["device", "task", "lag", "variant", "gradient"]
JOB = ["hidden_size", "seed"]
"""What trials with the same initial weights and data have in common: they differ in the learning rate alone."""
TRIAL = [*JOB, "learning_rate"]


def rank_trials(summary: pd.DataFrame, *, variants: Mapping[str, str]) -> pd.DataFrame:
    """Return the replicas of sampled models with the columns `variant`, `score` (test accuracy) and `rank`.

    `variants` maps the labels of sampled models to variants, and rows come in its order. `rank` orders the trials of a
    variant by validation, as a learning rate is chosen: accuracy up to the success criterion, then fewer updates to
    solve, then lower loss; test data have no say.
    """
    trials = summary[summary["model"].isin(list(variants))]
    accuracy = np.minimum(score_accuracies(trials["validation_accuracy"]), trials["success_accuracy"].to_numpy(float))
    trials = trials.assign(
        variant=pd.Categorical(trials["model"].map(variants), [*dict.fromkeys(variants.values())]),
        score=score_accuracies(trials["test_accuracy"]),
        wrong=1 - accuracy,
        updates_waited=compute_times_to_solve(trials),
        loss=trials["validation_loss"].fillna(np.inf).astype(float),
    )
    better = ["wrong", "updates_waited", "loss"]
    trials = trials.sort_values([*SEARCHED, *better, *TRIAL], ignore_index=True).astype({"variant": str})
    return trials.assign(rank=trials.groupby(SEARCHED).cumcount()).drop(columns=better)


def find_variants(summary: pd.DataFrame, *, names: Collection[str]) -> dict[str, str]:
    """Return per label of a sampled model its variant, one of `names`: `<variant>.h<size>` without the size."""
    models = summary[["model", "hidden_size"]].drop_duplicates().itertuples(index=False, name=None)
    variants = {model: model.removesuffix(f".h{size}") for model, size in models}
    return {model: variant for model, variant in variants.items() if variant != model and variant in names}
