"""Heat maps of the truncation surface: lags upwards, num_steps to the right, the whole sequence last."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from workflow.figures.style.look import SMALL, Labels, Tables, rows_of
from workflow.figures.style.panels import panel_grid, place_below, thinned

WHOLE = "all"
READABLE = 10  # columns up to which a number fits into a cell
NAMES = {"aligned": "", "every_step": ", k1 = 1", "half": ", k1 = num_steps/2", "other": ", other k1"}
REACHED: dict[str, Any] = {"color": "#D55E00", "linestyle": "solid", "linewidth": 1.6}
IN_SIGHT: dict[str, Any] = {"color": "#D55E00", "linestyle": (0, (2, 1)), "linewidth": 1.2}


class Look(NamedTuple):
    """How values become colours and text."""

    value: str
    """The column that is drawn, a share of 1."""
    colours: Colormap
    norm: Normalize
    text: Callable[[float], str]
    label: str
    uncertain: bool = False
    """Whether cells whose interval holds 0 get a dot in the corner."""


class Map(NamedTuple):
    """One panel: a task on a device, a model, and a kind of window."""

    title: str
    rows: pd.DataFrame


def maps_of(surface: pd.DataFrame, labels: Labels) -> list[Map]:
    """Return the panels: by kind of window, then model, then task, each with the whole sequence next to its windows.

    Only the flow along most of a model's paths is drawn: a truncation by path is another question.
    """
    surface = surface.assign(count=[len(set(paths.split("+")) - {""}) for paths in surface["paths"]])
    most = surface.groupby(["device", "task", "model"])["count"].transform("max")
    surface = surface[surface["count"] == most].sort_values(["lag", "gradient"])
    several = surface["device"].nunique() > 1
    maps = []
    for windowing, name in NAMES.items():
        for device in sorted(set(surface["device"])):
            for model in labels.models:
                for task in labels.tasks:
                    rows = rows_of(surface, device=device, task=task, model=model)
                    if windowing in set(rows["windowing"]) or (windowing == "aligned" and _only_whole(rows)):
                        kept = rows[rows["windowing"].isin([windowing, "whole"])]
                        title = f"{task}{name}\n{model}" + (f", {device}" if several else "")
                        maps.append(Map(title, kept.drop_duplicates(["lag", "num_steps"])))
    return maps


def draw_maps(tables: Tables, look: Look, *, note: str) -> Figure:
    """Draw all panels of the surface, the colour bar, and below them what the lines mean."""
    surface = tables.more["surface"]
    maps = maps_of(surface, tables.labels)
    tasks = surface["task"].nunique()
    columns = min(len(maps), tasks if 1 < tasks <= 3 else 3)
    lags = max(panel.rows["lag"].nunique() for panel in maps)
    figure, panels = panel_grid(len(maps), columns=columns, height=0.75 + 0.17 * max(lags, 3), sharey=False)
    for panel, axes in zip(maps, panels, strict=True):
        _draw_map(axes, panel, look)
    for index, axes in enumerate(panels):
        if index % columns == 0:
            axes.set_ylabel("lag (steps)")
        if index + columns >= len(panels):
            axes.set_xlabel("num_steps")
    colours = figure.colorbar(panels[0].collections[0], ax=panels, location="top", shrink=0.5, aspect=40, pad=0.01)
    colours.set_label(look.label)
    colours.outline.set_visible(False)
    lines = [
        Line2D([], [], **REACHED, label="right of it: a window can hold the lag"),
        Line2D([], [], **IN_SIGHT, label="right of it: a window always shows all that the target needs"),
    ]
    easy = "; *: random weight guessing solves this lag" if surface["easy"].any() else ""
    place_below(figure, [("", lines)], note=_seeds(surface) + note + easy)
    return figure


def _draw_map(axes: Axes, panel: Map, look: Look) -> None:
    steps, lags = _axes_of(panel.rows)
    place = {step: column for column, step in enumerate(steps)}
    height = {lag: row for row, lag in enumerate(lags)}
    values = _grid(panel.rows, look.value, place, height)
    mesh = axes.pcolormesh(100 * values, cmap=look.colours, norm=look.norm, edgecolors="white", linewidth=0.5)
    mesh.set_rasterized(False)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value) and len(steps) <= READABLE:
            red, green, blue, _ = look.colours(look.norm(100 * value))
            shade = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
            axes.text(
                column + 0.5, row + 0.47, look.text(100 * value),
                ha="center", va="center", fontsize=SMALL, color=shade,
            )  # fmt: skip
    if look.uncertain:
        low, high = (_grid(panel.rows, f"{look.value}_{limit}", place, height) for limit in ("low", "high"))
        unsure = np.isfinite(values) & ~((low > 0) | (high < 0))
        rows, columns = np.nonzero(unsure)
        axes.scatter(columns + 0.86, rows + 0.8, s=3, color="black", linewidth=0, zorder=2, gid="uncertain")
    _draw_edge(axes, _grid(panel.rows, "reach", place, height) > 0, **REACHED)
    _draw_edge(axes, _grid(panel.rows, "floor_accuracy", place, height) >= 1, **IN_SIGHT)
    axes.set_xticks(np.arange(len(steps)) + 0.5, labels=thinned(list(range(len(steps))), [str(step) for step in steps]))
    easy = {int(lag) for lag in panel.rows.loc[panel.rows["easy"], "lag"]}
    axes.set_yticks(np.arange(len(lags)) + 0.5, labels=[f"{lag}*" if lag in easy else str(lag) for lag in lags])
    axes.set_ylim(0, len(lags))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(panel.title)


def _axes_of(rows: pd.DataFrame) -> tuple[list[int | str], list[int]]:
    """Return the columns and the rows of a map."""
    windows = sorted({int(step) for step in rows["num_steps"].dropna()})
    lags = sorted({int(lag) for lag in rows["lag"]})
    return [*windows, *([WHOLE] if rows["num_steps"].isna().any() else [])], lags


def _grid(rows: pd.DataFrame, name: str, place: dict[int | str, int], height: dict[int, int]) -> NDArray[np.float64]:
    grid = np.full((len(height), len(place)), np.nan)
    for lag, step, value in zip(rows["lag"], rows["num_steps"], rows[name], strict=True):
        grid[height[int(lag)], place[WHOLE if pd.isna(step) else int(step)]] = value
    return grid


def _draw_edge(axes: Axes, beyond: NDArray[np.bool_], **look: Any) -> None:
    """Draw the staircase between the cells of each row and those, from the first on, that are `beyond`."""
    firsts = [int(np.argmax(row)) if row.any() else len(row) for row in beyond]
    x = np.repeat(firsts, 2)
    y = [edge for row in range(len(firsts)) for edge in (row, row + 1)]
    axes.plot(x, y, **look, zorder=3, clip_on=False, solid_capstyle="butt")


def _only_whole(rows: pd.DataFrame) -> bool:
    return not rows.empty and set(rows["windowing"]) == {"whole"}


def _seeds(surface: pd.DataFrame) -> str:
    fewest, most = int(surface["seeds"].min()), int(surface["seeds"].max())
    return f"n = {fewest} seeds; " if fewest == most else f"n = {fewest} to {most} seeds; "
