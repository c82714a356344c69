"""Test accuracy against the learning rate, one panel per model and task, one line per gradient.

Thick lines are means over all lags and n seeds, with 95 % bootstrap intervals over seeds; thin lines are the means
over seeds at single lags, so that a rate which helps one lag and hurts another shows. All rates of the grid are
drawn; which one the other figures use is chosen for every condition by validation, never by these test data.
"""

import numpy as np
from matplotlib.figure import Figure

from workflow.figures.style.legends import finish
from workflow.figures.style.look import Tables, apply_style, list_series
from workflow.figures.style.panels import draw_level, list_facets, make_panels, scale_rates
from workflow.statistics.intervals import compute_interval
from workflow.statistics.replicas import score_accuracies


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    summary = tables.summary.assign(score=score_accuracies(tables.summary["test_accuracy"]))
    facets = list_facets(tables.statistics, tables.labels, by=("device", "model", "task"))
    figure, panels = make_panels(facets, heights=[1.7], ylabels=["test accuracy"], xlabel="learning rate")
    for facet, (axes,) in panels:
        replicas = facet.select(summary)
        rates = sorted(set(replicas["learning_rate"]))
        draw_level(axes, replicas["chance_accuracy"].mean(), label="chance")
        step = scale_rates(axes, rates)
        series_here = [item for item in list_series(tables) if item.model == facet.keys["model"]]
        for rank, series in enumerate(series_here):
            trained = series.select(replicas)
            for _, means in trained.groupby(["lag", "learning_rate"])["score"].mean().groupby("lag"):
                rate = means.index.get_level_values("learning_rate")
                axes.plot(rate, means, **series.line, linewidth=0.6, alpha=0.4, zorder=2)
            seeds = trained.pivot_table(index="learning_rate", columns="seed", values="score", aggfunc="mean")
            x = seeds.index * step ** ((rank - (len(series_here) - 1) / 2) * 0.06)
            limits = [compute_interval(row[~np.isnan(row)]) for row in seeds.to_numpy()]
            axes.vlines(x, *np.reshape(limits, (-1, 2)).T, color=series.colour, linewidth=1, zorder=3)
            axes.plot(x, seeds.mean(axis="columns"), **series.points, zorder=4)
        axes.set_ylim(-0.03, 1.03)
    spread = "bars: 95 % bootstrap interval over seeds; thick: mean over lags and seeds; thin: single lags"
    finish(figure, tables, spread=spread)
    return figure
