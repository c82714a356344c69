"""Updates until the task is solved against its lag, one panel per task, one line per model and gradient.

Points are Kaplan-Meier medians over n seeds at the learning rate that validation chose; a seed that does not solve
the task waits until the end of its budget (grey line). Bars are 95 % bootstrap intervals over seeds, up to the budget
where the upper limit is not reached; an open triangle at the budget, reached by a faint line, stands for a condition
that fewer than half of the seeds solve. Small dots are the seeds that solve it.
"""

import pandas as pd
from matplotlib.figure import Figure

from workflow.figures.style.legends import OPEN, finish
from workflow.figures.style.look import Tables, apply_style, list_series, select_rows
from workflow.figures.style.panels import SweepAxis, list_facets, make_panels, number_plainly
from workflow.statistics.replicas import compute_budgets, select_replicas

SYMBOLS = {"not solved by half of the seeds within the budget": OPEN | {"marker": "^"}}


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    replicas = select_replicas(tables.summary, tables.statistics)
    replicas = replicas.assign(allowed=compute_budgets(replicas))
    low, high = 0.8 * replicas["evaluate_every"].min(), 1.2 * replicas["allowed"].max()
    facets = list_facets(tables.statistics, tables.labels)
    figure, panels = make_panels(facets, heights=[2.3], ylabels=["updates until solved"])
    for facet, (axes,) in panels:
        trained = facet.select(replicas)
        budgets = trained.groupby("lag", as_index=False)["allowed"].max()
        conditions = facet.select(tables.statistics).merge(budgets, on="lag")
        lag_axis = SweepAxis(axes, conditions["lag"])
        lag_axis.draw_reference(budgets["allowed"], label="budget")
        for series in list_series(tables):
            line, solved = series.select(conditions), series.select(select_rows(trained, solved=True))
            x = lag_axis.place(line["lag"], offset=series.offset)
            median, budget = line["updates_to_solve_median"], line["allowed"]
            limits = (line["updates_low"], line["updates_high"].fillna(budget))
            axes.vlines(x, *limits, color=series.colour, linewidth=0.8, alpha=0.6, zorder=2)
            axes.plot(x, median, **series.points, zorder=3)
            axes.plot(x, median.fillna(budget), **series.line, alpha=0.3, linewidth=0.8, zorder=2)
            missed = median.isna().to_numpy()
            triangles = {"color": series.colour, "markerfacecolor": "white", "markersize": 3.6, "markeredgewidth": 0.8}
            axes.plot(x[missed], budget[missed], "^", **triangles, zorder=4)
            times = pd.to_numeric(solved["updates_to_solve"]).to_numpy(dtype=float)
            lag_axis.draw_seeds(solved, times, series=series)
        axes.set(yscale="log", ylim=(low, high))
        number_plainly(axes.yaxis, dense=high / low < 150)
    spread = "points: Kaplan-Meier median; bars: its 95 % bootstrap interval; dots: single seeds"
    return finish(figure, tables, spread=spread, symbols=SYMBOLS)
