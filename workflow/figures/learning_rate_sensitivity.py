"""Test accuracy against the learning rate, one panel per model and task, one line per gradient.

Thick lines are means over all lags and n seeds, with 95 % bootstrap intervals over seeds; thin lines are the means
over seeds at single lags, so that a rate which helps one lag and hurts another shows. All rates of the grid are
drawn; which one the other figures use is chosen for every condition by validation, never by these test data.
"""

import numpy as np
from matplotlib.figure import Figure

from workflow.figures.style.legends import finish
from workflow.figures.style.look import Tables, apply_style, list_series, spread_evenly
from workflow.figures.style.panels import SweepAxis, draw_level, list_facets, make_panels
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
        rate_axis = SweepAxis(axes, replicas["learning_rate"])
        draw_level(axes, replicas["chance_accuracy"].mean(), label="chance")
        every = [series for series in list_series(tables) if len(series.select(replicas))]
        for series, offset in zip(every, spread_evenly(len(every)), strict=True):
            scores = series.select(replicas).groupby(["lag", "learning_rate", "seed"])["score"].mean()
            for _, means in scores.groupby(["learning_rate", "lag"]).mean().unstack().items():
                axes.plot(means.index, means, **series.line, linewidth=0.6, alpha=0.4, zorder=2)
            seeds = scores.groupby(["learning_rate", "seed"]).mean().groupby("learning_rate")
            x = rate_axis.place(seeds.mean().index, offset=0.4 * offset)
            limits = np.array([compute_interval(values.to_numpy()) for _, values in seeds])
            axes.vlines(x, *limits.T, color=series.colour, linewidth=1, zorder=3)
            axes.plot(x, seeds.mean(), **series.points, zorder=4)
        axes.set_ylim(-0.03, 1.03)
    spread = "bars: 95 % bootstrap interval over seeds; thick: mean over lags and seeds; thin: single lags"
    return finish(figure, tables, spread=spread)
