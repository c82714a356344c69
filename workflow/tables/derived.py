"""The tables that are made of other tables, and of which: what the rules' adapters do one by one, in their order."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.statistics.trials import variants_in
from workflow.tables.baselines import with_baselines
from workflow.tables.comparisons import comparisons_table
from workflow.tables.odyssey import beside_baselines, odyssey_table
from workflow.tables.odyssey_importance import importance_table
from workflow.tables.published import published_table
from workflow.tables.statistics import statistics_table
from workflow.tables.surface import surface_table
from workflow.tables.truncation_cost import truncation_table

Frames = Mapping[str, pd.DataFrame]
Beside = Callable[[pd.DataFrame, Frames], pd.DataFrame]


class Derived(NamedTuple):
    """A table that is made of others."""

    needs: tuple[str, ...]
    make: Callable[[Frames, Experiment], pd.DataFrame]
    beside: Beside | None = None
    """How the baselines, one of the frames, join it, where the configuration asks for them."""


def _beside_statistics(table: pd.DataFrame, of: Frames) -> pd.DataFrame:
    known = set(of["baselines"]["model"])
    return with_baselines(table, of["baselines"], variants=variants_in(of["summary"], known=known))


DERIVED: Mapping[str, Derived] = {
    "statistics": Derived(("summary",), lambda of, _: statistics_table(of["summary"]), _beside_statistics),
    "comparisons": Derived(("summary", "statistics"), lambda of, _: comparisons_table(of["summary"], of["statistics"])),
    "truncation_cost": Derived(
        ("summary", "statistics"), lambda of, _: truncation_table(of["summary"], of["statistics"])
    ),
    "surface": Derived(
        ("summary", "statistics", "baselines"),
        lambda of, _: surface_table(of["summary"], of["statistics"], of["baselines"]),
    ),
    "odyssey": Derived(
        ("summary",),
        lambda of, experiment: odyssey_table(of["summary"], experiment.search),
        lambda table, of: beside_baselines(table, of["baselines"]),
    ),
    "odyssey_importance": Derived(
        ("summary",), lambda of, experiment: importance_table(of["summary"], experiment.search)
    ),
    "published": Derived(
        ("summary",),
        lambda of, experiment: published_table(of["summary"], experiment.published),
        lambda table, of: with_baselines(table, of["baselines"]),
    ),
}


def derive(name: str, of: Frames, *, experiment: Experiment) -> pd.DataFrame:
    """Make a table of those in `of`; one that is needed and missing is a ValueError."""
    table, beside = _alone(name, of, experiment), DERIVED[name].beside
    if beside is None or "baselines" not in experiment.config["tables"] or "baselines" not in of:
        return table
    try:
        return beside(table, of)
    except ValueError:  # not every condition has its baseline yet
        return table


def derive_whole(name: str, of: Frames, *, experiment: Experiment) -> pd.DataFrame:
    """Make a table as the workflow does: a condition without its baseline is a ValueError too."""
    table, beside = _alone(name, of, experiment), DERIVED[name].beside
    if beside is None or "baselines" not in experiment.config["tables"]:
        return table
    if "baselines" not in of:
        raise ValueError("the baselines that stand beside it are not there")
    return beside(table, of)


def _alone(name: str, of: Frames, experiment: Experiment) -> pd.DataFrame:
    lacking = [needed for needed in DERIVED[name].needs if needed not in of]
    if lacking:
        raise ValueError(f"it is made of {', '.join(lacking)}, which cannot be made yet")
    return DERIVED[name].make(of, experiment)
