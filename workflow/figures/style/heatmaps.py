"""Heat maps of the truncation surface: lags upwards, num_steps to the right, the whole sequence last."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from seaborn.utils import relative_luminance

from workflow.figures.style.legends import describe_count, place_below
from workflow.figures.style.look import SMALL, Labels, Tables
from workflow.figures.style.panels import Facet, list_facets, make_panels, thin_labels

READABLE = 10  # columns up to which a number fits into a cell
NAMES = {"aligned": "", "every_step": ", k1 = 1", "half": ", k1 = num_steps/2", "other": ", other k1"}
LINES: dict[str, dict[str, Any]] = {
    "right of it: a window can hold the lag": {"color": "#D55E00", "linestyle": "solid", "linewidth": 1.6},
    "right of it: a window always shows all that the target needs": {
        "color": "#D55E00", "linestyle": (0, (2, 1)), "linewidth": 1.2,
    },
}  # fmt: skip


def draw_maps(
    tables: Tables, *, value: str, cmap: str, limits: tuple[float, float], form: str, label: str, note: str
) -> Figure:
    """Draw a column of the surface, a share of 1, in percent, a panel for each task, model and kind of window.

    `form` is the format of a number in a cell. Where the column has an interval that holds 0, the cell has a dot.
    """
    surface = tables.needs["surface"]
    maps = list_maps(surface, tables.labels)
    tasks = surface["task"].nunique()
    columns = min(len(maps), tasks if 1 < tasks <= 3 else 3)
    lags = max(rows["lag"].nunique() for _, rows in maps)
    texts: dict[str, Any] = {"ylabels": ["lag (steps)"], "xlabel": "num_steps"}
    heights, facets = [0.75 + 0.17 * max(lags, 3)], [facet for facet, _ in maps]
    figure, panels = make_panels(facets, heights=heights, columns=columns, sharey=False, **texts)
    for (_, rows), (_, (axes,)) in zip(maps, panels, strict=True):
        _draw_map(axes, rows, value=value, form=form, cmap=cmap, vmin=limits[0], vmax=limits[1])
    every = [axes for _, (axes,) in panels]
    bar = figure.colorbar(every[0].collections[0], ax=every, location="top", shrink=0.5, aspect=40, pad=0.01)
    bar.set_label(label)
    bar.outline.set_visible(False)
    easy = "; *: random weight guessing solves this lag" if surface["easy"].any() else ""
    place_below(figure, {"": LINES}, note=describe_count(surface["seeds"], "seeds", spread=note) + easy)
    return figure


def list_maps(surface: pd.DataFrame, labels: Labels) -> list[tuple[Facet, pd.DataFrame]]:
    """Return the panels: by kind of window, then model, then task, each with the whole sequence next to its windows.

    Only the flow along most of a model's paths is drawn: a truncation by path is another question.
    """
    surface = surface.assign(count=[len(set(paths.split("+")) - {""}) for paths in surface["paths"]])
    most = surface.groupby(["device", "task", "model"])["count"].transform("max")
    surface = surface[surface["count"] == most].sort_values(["lag", "gradient"])
    maps = []
    for windowing, name in NAMES.items():
        for facet in list_facets(surface, labels, by=("device", "model", "task")):
            rows = facet.select(surface)
            if windowing in set(rows["windowing"]) or (windowing == "aligned" and set(rows["windowing"]) == {"whole"}):
                kept = rows[rows["windowing"].isin([windowing, "whole"])].drop_duplicates(["lag", "num_steps"])
                maps.append((Facet(facet.keys, facet.title.replace("\n", f"{name}\n", 1)), kept))
    return maps


def _draw_map(axes: Axes, rows: pd.DataFrame, *, value: str, form: str, **colours: Any) -> None:
    steps = rows["num_steps"].astype(float).fillna(np.inf)
    cells: Any = rows.assign(num_steps=steps).pivot(index="lag", columns="num_steps")
    percent = 100 * cells[value]
    texts = percent.map(lambda number: "0" if round(number) == 0 else f"{round(number):{form}}".replace("-", "−"))
    xlabel, ylabel, columns = axes.get_xlabel(), axes.get_ylabel(), percent.columns
    sns.heatmap(
        percent, annot=texts if len(columns) <= READABLE else None, fmt="", annot_kws={"fontsize": SMALL}, **colours,
        linewidths=0.5, linecolor="white", cbar=False, ax=axes,
    )  # fmt: skip
    for text in axes.texts:  # seaborn writes in white up to tones on which black is read better
        x, y = map(int, text.get_position())
        luminance = relative_luminance(axes.collections[0].to_rgba(percent.iat[y, x]))
        text.set_color("black" if luminance > 0.2 else "white")
    if colours["vmin"] < 0:
        uncertain = percent.notna() & ~((cells[f"{value}_low"] > 0) | (cells[f"{value}_high"] < 0))
        lags, windows = np.nonzero(uncertain)
        axes.scatter(windows + 0.86, lags + 0.8, s=3, color="black", linewidth=0, zorder=2, gid="uncertain")
    for beyond, line in zip((cells["reach"] > 0, cells["floor_accuracy"] >= 1), LINES.values(), strict=True):
        _draw_edge(axes, beyond.to_numpy(), **line)
    easy = cells["easy"].any(axis="columns")
    axes.set_yticks(np.arange(len(easy)) + 0.5, labels=[f"{lag}*" if star else str(lag) for lag, star in easy.items()])
    names = ["all" if np.isinf(step) else f"{step:.0f}" for step in columns]
    axes.set_xticks(np.arange(len(names)) + 0.5, labels=thin_labels(range(len(names)), names), rotation=0)
    axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, len(percent)))
    axes.tick_params(length=0, rotation=0)


def _draw_edge(axes: Axes, beyond: NDArray[np.bool_], **look: Any) -> None:
    """Draw the staircase between the cells of each row and those, from the first on, that are `beyond`."""
    firsts = [int(np.argmax(row)) if row.any() else len(row) for row in beyond]
    y = [edge for row in range(len(firsts)) for edge in (row, row + 1)]
    axes.plot(np.repeat(firsts, 2), y, **look, zorder=3, clip_on=False, solid_capstyle="butt")
