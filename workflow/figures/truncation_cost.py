"""What the truncated gradient of 1997 costs against the full one: difference of accuracy, and of updates to solve.

One column of panels per task, one point per model and lag: the mean over the n seeds trained under both gradients,
which saw the same data and began with the same weights, of truncated minus full; bars are 95 % bootstrap intervals over
seeds. Below 0 in accuracy and above 0 in updates, truncation costs. A seed that does not solve the task counts with the
updates of its budget: where any does, the symbol is open, and the true difference may be larger.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow.figures.style.look import REFERENCE, Labels, Tables, model_colours, rows_of, styled
from workflow.figures.style.panels import LagAxis, label_right, new_figure, place_below
from workflow.figures.style.traces import model_legend, name_left_out
from workflow.tables.truncation_cost import ALL

NEEDS = ("truncation_cost",)
MEASURES = {
    "test_accuracy": "accuracy,\ntruncated minus full",
    "updates_to_solve": "updates to solve,\ntruncated minus full",
}


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    labels, table = tables.labels, single(tables.more["truncation_cost"])
    facets = [
        (device, task)
        for device in sorted(set(table["device"]))
        for task in labels.tasks
        if len(rows_of(table, device=device, task=task))
    ]
    figure = new_figure(columns=len(facets), height=3.6)
    grid = figure.subplots(len(MEASURES), len(facets), sharey="row", sharex="col", squeeze=False)
    models = [model for model in labels.models if model in set(table["model"])]
    for (measure, name), row in zip(MEASURES.items(), grid, strict=True):
        for (device, task), axes in zip(facets, row, strict=True):
            _draw_panel(axes, rows_of(table, device=device, task=task, measure=measure), models=models, labels=labels)
        row[0].set_ylabel(name)
        label_right(row[-1], 0, label="no cost")
    for (device, task), axes in zip(facets, grid[0], strict=True):
        axes.set_title(task if len({device for device, _ in facets}) == 1 else f"{task}, {device}")
        axes.set_xlabel("")
    symbols = [
        Line2D([], [], color="0.2", linestyle="none", marker="o", label="all seeds solve the task under both"),
        Line2D([], [], color="0.2", linestyle="none", marker="o", markerfacecolor="white", label="some do not"),
    ]
    fewest, most = int(table["pairs"].min()), int(table["pairs"].max())
    note = f"n = {fewest if fewest == most else f'{fewest} to {most}'} pairs of seeds; bars: 95 % bootstrap interval"
    note += name_left_out(tables, models, reason="not trained under both")
    place_below(figure, [("", symbols), ("model", model_legend(models, labels=labels))], note=note)
    return figure


def single(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows about single conditions, with their `lag`, each once."""
    kept = table[~table["lags"].str.contains("+", regex=False) & (table["task"] != ALL) & (table["model"] != ALL)]
    kept = kept.assign(lag=kept["lags"].astype(int))
    return kept.drop_duplicates(["device", "task", "lag", "model", "measure"])


def _draw_panel(axes: Axes, table: pd.DataFrame, *, models: list[str], labels: Labels) -> None:
    lag_axis, colours, last = LagAxis(table["lag"]), model_colours(labels), max(len(models) - 1, 1)
    axes.axhline(0, color=REFERENCE, linewidth=0.7, zorder=1, gid="zero")
    for rank, model in enumerate(models):
        line = rows_of(table, model=model).sort_values("lag")
        x = lag_axis.place(line["lag"], offset=rank / last - 0.5 if len(models) > 1 else 0.0)
        axes.vlines(x, line["low"], line["high"], color=colours[model], linewidth=1, alpha=0.7, zorder=2)
        axes.plot(x, line["difference"], color=colours[model], linewidth=0.6, alpha=0.4, zorder=2)
        for place, (_, point) in zip(x, line.iterrows(), strict=True):
            face = "white" if point["censored"] else colours[model]
            axes.plot(
                place, point["difference"], "o", color=colours[model], markerfacecolor=face, markersize=3.6, zorder=4
            )
    lag_axis.apply(axes)
