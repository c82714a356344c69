"""Test accuracy against the learning rate, a row of panels per model and a column per task, one line per gradient.

Thick lines are means over all lags and n seeds, with 95 % bootstrap intervals over seeds; thin lines are the means
over seeds at single lags, so that a rate which helps one lag and hurts another shows. All rates of the grid are
drawn; which one the other figures use is chosen for every condition by validation, never by these test data.
"""

from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow.figures.style.look import Series, Tables, rows_of, series_of, styled
from workflow.figures.style.panels import (
    Facet,
    columns_for,
    facets_of,
    finish,
    level_line,
    new_figure,
    rate_axis,
    seeds_note,
)
from workflow.statistics.intervals import mean_interval
from workflow.statistics.replicas import score_accuracies


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    facets, series = facets_of(tables), series_of(tables)
    models = list(dict.fromkeys(line_style.model for line_style in series))
    tables = tables._replace(summary=tables.summary.assign(score=score_accuracies(tables.summary["test_accuracy"])))
    columns = columns_for(facets)
    blocks = [facets[start : start + columns] for start in range(0, len(facets), columns)]
    figure = new_figure(columns=columns, height=1.45 * len(models) * len(blocks) + 0.2)
    grid = iter(figure.subplots(len(models) * len(blocks), columns, sharey=True, squeeze=False))
    for block, model in product(blocks, models):
        row = next(grid)
        for facet, axes in zip(block, row, strict=False):
            _draw_panel(axes, facet, [line_style for line_style in series if line_style.model == model], tables)
            if model == models[0]:
                axes.set_title(facet.title)
            if model == models[-1]:
                axes.set_xlabel("learning rate")
        for spare in row[len(block) :]:
            spare.remove()
        row[0].set_ylabel(f"{model}\ntest accuracy")
    note = seeds_note(tables, spread="bars: 95 % bootstrap interval over seeds")
    finish(figure, tables, note=note + "; thick: mean over lags and seeds; thin: single lags")
    return figure


def _draw_panel(axes: Axes, facet: Facet, series: list[Series], tables: Tables) -> None:
    replicas = rows_of(tables.summary, device=facet.device, task=facet.task)
    rates = sorted(set(replicas["learning_rate"]))
    level_line(axes, replicas["chance_accuracy"].mean(), label="chance")
    step = rate_axis(axes, rates)
    for rank, line_style in enumerate(series):
        part = rows_of(replicas, model=line_style.model, gradient=line_style.gradient)
        if part.empty:  # the grid has this series for another task
            continue
        for _, at_lag in part.groupby("lag"):
            means = at_lag.groupby("learning_rate")["score"].mean()
            axes.plot(means.index, means, **line_style.line, linewidth=0.6, alpha=0.4, zorder=2)
        apart = step ** ((rank - (len(series) - 1) / 2) * 0.06)
        seeds = part.pivot_table(index="learning_rate", columns="seed", values="score", aggfunc="mean").sort_index()
        limits = np.array([mean_interval(row[~np.isnan(row)]) for row in seeds.to_numpy()])
        axes.vlines(seeds.index * apart, *limits.T, color=line_style.colour, linewidth=1, zorder=3)
        axes.plot(seeds.index * apart, seeds.mean(axis="columns"), **line_style.points, zorder=4)
    axes.set_ylim(-0.03, 1.03)
