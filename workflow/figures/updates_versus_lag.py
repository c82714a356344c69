"""Updates until the task is solved against its lag, one panel per task, one line per model and gradient.

Points are Kaplan-Meier medians over n seeds at the learning rate that validation chose; a seed that does not solve
the task waits until the end of its budget (grey line). Bars are 95 % bootstrap intervals over seeds, up to the budget
where the upper limit is not reached; an open triangle at the budget, reached by a faint line, stands for a condition
that fewer than half of the seeds solve. Small dots are the seeds that solve it.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow.figures.style.look import Tables, rows_of, series_of, styled
from workflow.figures.style.panels import (
    Facet,
    LagAxis,
    columns_for,
    facets_of,
    finish,
    number_plainly,
    panel_grid,
    reference_line,
    seed_offsets,
    seeds_note,
)
from workflow.statistics.replicas import compute_budgets, select_replicas

SYMBOLS = [
    Line2D([], [], color="0.2", linestyle="none", marker="^", markerfacecolor="white",
           label="not solved by half of the seeds within the budget")
]  # fmt: skip


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    facets = facets_of(tables)
    replicas = select_replicas(tables.summary, tables.statistics)
    tables = tables._replace(summary=replicas.assign(allowed=compute_budgets(replicas)))
    figure, panels = panel_grid(len(facets), columns=columns_for(facets), height=2.3)
    for facet, axes in zip(facets, panels, strict=True):
        _draw_panel(axes, facet, tables)
    for axes in panels[:: columns_for(facets)]:
        axes.set_ylabel("updates until solved")
    spread = "points: Kaplan-Meier median; bars: its 95 % bootstrap interval; dots: single seeds"
    finish(figure, tables, note=seeds_note(tables, spread=spread), symbols=SYMBOLS)
    return figure


def _draw_panel(axes: Axes, facet: Facet, tables: Tables) -> None:
    replicas = rows_of(tables.summary, device=facet.device, task=facet.task)
    budgets = replicas.groupby("lag", as_index=False)["allowed"].max()
    conditions = rows_of(tables.statistics, device=facet.device, task=facet.task).merge(budgets, on="lag")
    lag_axis = LagAxis(conditions["lag"])
    reference_line(axes, lag_axis, budgets["allowed"], label="budget")
    series = series_of(tables)
    for line_style in series:
        line = rows_of(conditions, model=line_style.model, gradient=line_style.gradient).sort_values("lag")
        x = lag_axis.place(line["lag"], offset=line_style.offset)
        median = line["updates_to_solve_median"]
        low, high = line["updates_low"], line["updates_high"].fillna(line["allowed"])
        axes.vlines(x, low, high, color=line_style.colour, linewidth=0.8, alpha=0.6, zorder=2)
        axes.plot(x, median, **line_style.points, zorder=3)
        axes.plot(x, median.fillna(line["allowed"]), **line_style.line, alpha=0.3, linewidth=0.8, zorder=2)
        missed = median.isna().to_numpy()
        triangles = axes.plot(
            x[missed], line["allowed"][missed], "^", color=line_style.colour, markersize=3.6, zorder=4
        )
        triangles[0].set(markerfacecolor="white", markeredgewidth=0.8)
        dots = rows_of(replicas, model=line_style.model, gradient=line_style.gradient, solved=True)
        places = lag_axis.place(dots["lag"], offset=seed_offsets(dots["seed"], line_style, count=len(series)))
        times = pd.to_numeric(dots["updates_to_solve"]).to_numpy(dtype=float)
        axes.scatter(places, times, s=2.5, color=line_style.colour, alpha=0.55, linewidth=0, zorder=2)
    lag_axis.apply(axes)
    low, high = 0.8 * tables.summary["evaluate_every"].min(), 1.2 * tables.summary["allowed"].max()
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    number_plainly(axes.yaxis, dense=high / low < 150)
    axes.set_title(facet.title)
