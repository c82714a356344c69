"""Heat maps of the truncation surface: lags upwards, num_steps to the right, the whole sequence last."""

from collections.abc import Mapping, Sequence
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
        "color": "#D55E00", "linestyle": (0, (2, 1)), "linewidth": 1.2
    },
}  # fmt: skip


def draw_maps(tables: Tables, *, value: str, colours: Mapping[str, Any], form: str, label: str, note: str) -> Figure:
    """Draw a column of the surface, a share of 1, in percent, a panel for each task, model and kind of window.

    `colours` go to seaborn, `form` formats the numbers. With 0 in the middle of the colours, a dot marks the
    cells whose interval holds 0.
    """
    surface = tables.needs["surface"]
    maps = list_maps(surface, tables.labels)
    tasks = surface["task"].nunique()
    columns = min(len(maps), tasks if 1 < tasks <= 3 else 3)
    lags = max(rows["lag"].nunique() for _, rows in maps)
    facets, heights = [facet for facet, _ in maps], [0.75 + 0.17 * max(lags, 3)]
    figure, panels = make_panels(
        facets, heights=heights, ylabels=["lag (steps)"], xlabel="num_steps", columns=columns, sharey=False
    )
    for (_, rows), (_, (axes,)) in zip(maps, panels, strict=True):
        _draw_map(axes, rows, value=value, colours=colours, form=form)
    every = [axes for _, (axes,) in panels]
    bar = figure.colorbar(every[0].collections[0], ax=every, location="top", shrink=0.5, aspect=40, pad=0.01)
    bar.set_label(label)
    bar.outline.set_visible(False)
    easy = "; *: random weight guessing solves this lag" if surface["easy"].any() else ""
    return place_below(figure, {"": LINES}, note=describe_count(surface["seeds"], "seeds", spread=note) + easy)


def list_maps(surface: pd.DataFrame, labels: Labels) -> list[tuple[Facet, pd.DataFrame]]:
    """Return the panels: by kind of window, then model, then task, each with the whole sequence next to its windows.

    Only the flow along most of a model's paths is drawn: a truncation by path is another question.
    """
    paths = surface["paths"].str.count(r"[^+]+")
    most = paths.groupby([surface[name] for name in ("device", "task", "model")]).transform("max")
    surface = surface[paths == most].sort_values(["lag", "gradient"])
    maps = []
    for windowing, name in NAMES.items():
        for facet in list_facets(surface, labels, by=("device", "model", "task")):
            rows = facet.select(surface)
            if windowing in set(rows["windowing"]) or (windowing == "aligned" and set(rows["windowing"]) == {"whole"}):
                kept = rows[rows["windowing"].isin([windowing, "whole"])].drop_duplicates(["lag", "num_steps"])
                maps.append((Facet(facet.keys, facet.title.replace("\n", f"{name}\n", 1)), kept))
    return maps


def draw_cells(
    axes: Axes, values: pd.DataFrame, texts: pd.DataFrame, *, names: tuple[Sequence[str], Sequence[str]], **colours: Any
) -> None:
    """Draw a table as coloured cells with texts, where they fit, the first row on top, under `names` of both axes."""
    labels = {"xlabel": axes.get_xlabel(), "ylabel": axes.get_ylabel()}  # seaborn writes its own
    sns.heatmap(
        values, annot=texts if len(names[1]) <= READABLE else None, fmt="", annot_kws={"fontsize": SMALL}, **colours,
        linewidths=0.5, linecolor="white", cbar=False, ax=axes,
    )  # fmt: skip
    cells: Any = axes.collections[0]
    for text in axes.texts:  # seaborn writes in white up to tones on which black is read better
        x, y = map(int, text.get_position())
        text.set_color("black" if relative_luminance(cells.to_rgba(values.iloc[y, x])) > 0.2 else "white")
    axes.set_yticks(np.arange(len(names[0])) + 0.5, labels=names[0])
    axes.set_xticks(np.arange(len(names[1])) + 0.5, labels=thin_labels(range(len(names[1])), names[1]))
    axes.tick_params(length=0, rotation=0)
    axes.set(**labels)


def _draw_map(axes: Axes, rows: pd.DataFrame, *, value: str, colours: Mapping[str, Any], form: str) -> None:
    steps = rows["num_steps"].astype(float).fillna(np.inf)
    cells: Any = rows.assign(num_steps=steps).pivot(index="lag", columns="num_steps")
    percent = 100 * cells[value]
    texts = percent.map(lambda number: "0" if round(number) == 0 else f"{round(number):{form}}".replace("-", "−"))
    lags = [f"{lag}*" if easy else str(lag) for lag, easy in cells["easy"].any(axis="columns").items()]
    windows = ["all" if np.isinf(step) else f"{step:.0f}" for step in percent.columns]
    draw_cells(axes, percent, texts, names=(lags, windows), **colours)
    axes.set_ylim(0, len(lags))
    if colours["vmin"] < 0:
        uncertain = percent.notna() & ~((cells[f"{value}_low"] > 0) | (cells[f"{value}_high"] < 0))
        y, x = np.nonzero(uncertain)
        axes.scatter(x + 0.86, y + 0.8, s=3, color="black", linewidth=0, zorder=2, gid="uncertain")
    for beyond, line in zip((cells["reach"] > 0, cells["floor_accuracy"] >= 1), LINES.values(), strict=True):
        _draw_edge(axes, beyond.to_numpy(), **line)


def _draw_edge(axes: Axes, beyond: NDArray[np.bool_], **look: Any) -> None:
    """Draw the staircase between the cells of each row and those, from the first on, that are `beyond`."""
    firsts = [int(np.argmax(row)) if row.any() else len(row) for row in beyond]
    y = [edge for row in range(len(firsts)) for edge in (row, row + 1)]
    axes.plot(np.repeat(firsts, 2), y, **look, zorder=3, clip_on=False, solid_capstyle="butt")
