"""Test accuracy against the lag of the task, one panel per task, one line per model and gradient.

Lines join the means over seeds at the learning rate that validation chose; bands are 95 % bootstrap intervals of the
mean over seeds (bars where a panel has one lag), small dots are single seeds. The grey line is chance; the dotted one,
where the table has baselines, is the best that random weight guessing reaches with any of the models, and a grey band
marks a lag as easy that it solves. Series stand a little apart sideways at each lag so that none hides another; the
number of seeds n is given below the panels.
"""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from workflow.figures.style.legends import finish
from workflow.figures.style.look import REFERENCE, Tables, apply_style, list_series
from workflow.figures.style.panels import SweepAxis, list_facets, make_panels
from workflow.statistics.replicas import score_accuracies, select_replicas

GUESS: dict[str, Any] = {"color": REFERENCE, "linestyle": (0, (1, 1.5)), "linewidth": 1.0}
EASY: dict[str, Any] = {"color": "0.9", "linewidth": 7}


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    statistics, replicas = tables.statistics, select_replicas(tables.summary, tables.statistics)
    figure, panels = make_panels(list_facets(statistics, tables.labels), heights=[2.3], ylabels=["test accuracy"])
    for facet, (axes,) in panels:
        conditions = facet.select(statistics)
        lag_axis = SweepAxis(axes, conditions["lag"])
        chance = conditions.drop_duplicates("lag").sort_values("lag")["chance_accuracy"]
        lag_axis.draw_reference(chance, label="chance")
        if "easy" in conditions:
            _draw_guesses(lag_axis, conditions)
        for series in list_series(tables):
            line, seeds = series.select(conditions), series.select(facet.select(replicas))
            x = lag_axis.place(line["lag"], offset=series.offset)
            low, high = line["accuracy_low"], line["accuracy_high"]
            axes.plot(x, line["accuracy"], **series.points, zorder=3)
            if len(lag_axis.values) > 1:
                axes.fill_between(x, low, high, color=series.colour, alpha=0.13, linewidth=0, zorder=2)
            else:
                axes.vlines(x, low, high, color=series.colour, linewidth=1, zorder=2)
            lag_axis.draw_seeds(seeds, score_accuracies(seeds["test_accuracy"]), series=series)
        axes.set_ylim(-0.03, 1.03)
    shape = "bands" if statistics["lag"].nunique() > 1 else "bars"
    spread = f"{shape}: 95 % bootstrap interval of the mean; dots: single seeds"
    symbols = {"best of random weight guessing": GUESS} if "easy" in statistics else {}
    if "easy" in statistics and statistics["easy"].any():
        symbols["easy: guessing solves this lag"] = EASY
    return finish(figure, tables, spread=spread, symbols=symbols)


def _draw_guesses(lag_axis: SweepAxis, conditions: pd.DataFrame) -> None:
    """Draw the best guess of any model at each lag, and a band over each lag that a guess solves."""
    guesses = conditions.groupby("lag", as_index=False)[["guess_accuracy", "easy"]].max()
    x = lag_axis.place(guesses["lag"], offset=0)
    lag_axis.axes.plot(x, guesses["guess_accuracy"], **GUESS, marker="_", markersize=5, zorder=1.5, gid="guess")
    for lag in guesses.loc[guesses["easy"], "lag"]:
        left, right = lag_axis.place(pd.Series([lag, lag]), offset=[-0.5, 0.5])
        lag_axis.axes.axvspan(left, right, color=EASY["color"], linewidth=0, zorder=0, gid="easy")
