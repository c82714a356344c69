"""What stands below the panels of a figure: legends and a note."""

import textwrap
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from workflow.figures.style.look import REFERENCE, SMALL, Tables, choose_colours, list_series
from workflow.figures.style.panels import PAD

CHARACTERS = 18
"""Of a note per inch."""
Looks = Mapping[str, Mapping[str, Any]]
"""The entries of a legend: label and keywords of a line, which is dark grey unless they say otherwise."""
MOMENTS = {"initial": "as drawn", "half_way": "half-way", "solved": "solved"}
"""Of a training: the names of its measured networks."""
OPEN: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "white"}
"""The look of an open symbol."""


def finish(
    figure: Figure, tables: Tables, *, spread: str, symbols: Looks | None = None, markers: bool = True
) -> Figure:
    """Add below the panels legends of models, gradients and symbols, and the number of seeds; return the figure."""
    series = sorted(list_series(tables), key=lambda item: tables.labels.gradients.index(item.gradient))
    gradients = {item.gradient: {"linestyle": item.dash, "marker": item.marker if markers else ""} for item in series}
    models = list_model_looks(tables, tables.statistics)
    note = describe_count(tables.statistics["seeds"], "seeds", spread=spread)
    return place_below(figure, {"": symbols or {}, "gradient": gradients, "model": models}, note=note)


def list_model_looks(tables: Tables, table: pd.DataFrame) -> Looks:
    """Return the legend of the models of a table."""
    colours = choose_colours(tables.labels, table)
    return {model: {"color": colour, "linewidth": 2} for model, colour in colours.items()}


def describe_count(counts: pd.Series, noun: str, *, spread: str) -> str:
    """Return the beginning of a note: of how many each number is, such as seeds, and what shows their spread."""
    fewest, most = int(counts.min()), int(counts.max())
    if most == 1:
        return f"n = 1 {noun.removesuffix('s')}, so no interval over {noun}"
    return f"n = {fewest} {noun}; {spread}" if fewest == most else f"n = {fewest} to {most} {noun}; {spread}"


def describe_quartiles(table: pd.DataFrame) -> str:
    """Return the beginning of a note on medians over the seeds of a table of measurements."""
    seeds = table.groupby(["device", "task", "lag", "model"])["seed"].nunique()
    return describe_count(seeds, "seeds", spread="line: median; band: quartiles")


def describe_easy(table: pd.DataFrame) -> str:
    """Return what a star says, for a note; nothing if random weight guessing solves nothing, or was not measured."""
    return "; *: random weight guessing solves it" if "easy" in table and table["easy"].any() else ""


def name_omitted(tables: Tables, models: Collection[str], *, reason: str) -> str:
    """Name the models of the experiment that a figure cannot show, for its note; nothing if it shows all."""
    trained = set(tables.statistics["model"])
    omitted = [model for model in tables.labels.models if model in trained and model not in models]
    return f"; left out, {reason}: {', '.join(omitted)}" if omitted else ""


def place_below(figure: Figure, legends: Mapping[str, Looks], *, note: str) -> Figure:
    """Add below the panels a note and, upwards from it, legends by title; return the figure, higher by them."""
    width, height = figure.get_size_inches()
    text = figure.text(
        width / 2, PAD, textwrap.fill(note, int(CHARACTERS * width)), transform=figure.dpi_scale_trans,
        ha="center", va="bottom", fontsize=SMALL, color=REFERENCE,
    )  # fmt: skip
    bottom = 2 * PAD + text.get_window_extent(FigureCanvasAgg(figure).get_renderer()).height / figure.dpi
    for title, looks in legends.items():
        if looks:
            bottom += _add_legend(figure, title, looks, y=bottom)
    bottom += PAD
    figure.set_size_inches(width, height + bottom)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0, bottom / (height + bottom), 1, height / (height + bottom)))
    return figure


def _add_legend(figure: Figure, title: str, looks: Looks, *, y: float) -> float:
    """Add one legend with its lower edge at `y` inches, in as few rows as the width allows; return its height."""
    width, renderer = figure.get_size_inches()[0], FigureCanvasAgg(figure).get_renderer()
    for columns in range(len(looks), 0, -1):
        legend = figure.legend(
            handles=_order_handles(title, looks, columns=columns), ncols=columns + bool(title), loc="lower center",
            bbox_to_anchor=(width / 2, y), bbox_transform=figure.dpi_scale_trans,
        )  # fmt: skip
        extent = legend.get_window_extent(renderer)
        if extent.width <= (width - 2 * PAD) * figure.dpi or columns == 1:
            break
        legend.remove()
    return extent.height / figure.dpi


def _order_handles(title: str, looks: Looks, *, columns: int) -> list[Line2D]:
    """Order legend entries so that they read row by row, the title before the first row; matplotlib fills columns."""
    handles = [Line2D([], [], label=label, **{"color": "0.2", **look}) for label, look in looks.items()]
    cells: list[Line2D] = []
    for start in range(0, len(handles), columns):
        cells += [Line2D([], [], linestyle="none", label="" if start else title)] if title else []
        cells += handles[start : start + columns]
    width = columns + bool(title)
    return [cell for column in range(width) for cell in cells[column::width]]
