"""Ratios to our kernel (above) and microseconds per time step and replica (below), over the hidden size.

One panel per number of replicas, batch size and sequence length. Above, a rival is slower than our kernel where its
line is above 1. Points are medians; bars, where they are longer than a marker, quartiles.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from workflow.figures.style.look import COLOURS, DASHES, MARKERS, RC, save, select_rows
from workflow.figures.style.panels import draw_level, new_figure, number_plainly

PANEL = ["replicas", "batch", "sequence_length"]
IMPLEMENTATIONS = {"": "our kernel", "torch": "torch.nn, once per replica", "jax": "JAX", "reference": "eager torch"}
"""Labels by the column `rival`."""
MODELS = {"lstm_peephole": "LSTM with peepholes", "lstm": "LSTM without peepholes", "rnn": "RNN"}


class Line(NamedTuple):
    """One line of a panel: whose, of which model, and how it looks."""

    rival: str
    model: str

    @property
    def look(self) -> dict:
        """The keywords of the line."""
        which = list(MODELS).index(self.model)
        colour = COLOURS[list(IMPLEMENTATIONS).index(self.rival)]
        edge = {"markeredgecolor": "white", "markeredgewidth": 0.4}
        return {"color": colour, "linestyle": DASHES[which], "marker": MARKERS[which]} | edge


def write(table: pd.DataFrame, stem: Path) -> None:
    """Draw the table of speeds and write it as PDF, SVG and PNG."""
    with matplotlib.rc_context(RC):
        save(draw(table), stem)


def draw(table: pd.DataFrame) -> Figure:
    """Draw the figure."""
    ours = (table["implementation"] == "cpu") & (table["gradient"] == "full")
    shown = table[ours | (table["rival"] != "")]
    order = {"sequence_length": True, "replicas": False, "batch": True}
    facets = shown[PANEL].drop_duplicates().sort_values(list(order), ascending=list(order.values()))
    panels = list(facets.itertuples(index=False))
    sizes = sorted(set(shown["hidden_size"]))
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = new_figure(columns=max(columns, 2), height=1.55 * 2 * rows + 0.6)
    grid = figure.subplots(2 * rows, columns, squeeze=False, sharex=True, sharey="row")
    for spare in range(len(panels), rows * columns):
        for half in (0, rows):
            grid[half + spare // columns, spare % columns].remove()
    for place, panel in enumerate(panels):
        points = select_rows(shown, **dict(zip(PANEL, panel, strict=True)))
        row, column = divmod(place, columns)
        title = f"R {panel[0]}, B {panel[1]}, T {panel[2]}"
        _draw_ratios(grid[row, column], points, title=title, sizes=sizes)
        _draw_microseconds(grid[rows + row, column], points, title=title, sizes=sizes)
    for row in range(rows):
        grid[row, 0].set_ylabel("time over ours")
        grid[rows + row, 0].set_ylabel("µs per step and replica")
    for axes in grid[:, 0]:
        low, high = axes.get_ylim()
        number_plainly(axes.yaxis, dense=high / low < 150)
    for axes in grid[-1]:
        axes.set_xlabel("hidden size H")
    _legends(figure, shown)
    return figure


def _lines(points: pd.DataFrame) -> list[Line]:
    present = set(points[["rival", "model"]].itertuples(index=False, name=None))
    return [Line(rival, model) for rival in IMPLEMENTATIONS for model in MODELS if (rival, model) in present]


def _draw_ratios(axes: Axes, points: pd.DataFrame, *, title: str, sizes: list[int]) -> None:
    draw_level(axes, 1.0)
    for line in _lines(points):
        if line.rival:
            rows = select_rows(points, rival=line.rival, model=line.model).sort_values("hidden_size")
            axes.plot(rows["hidden_size"], rows["ratio"], **line.look)
    _finish(axes, title=title, sizes=sizes)


def _draw_microseconds(axes: Axes, points: pd.DataFrame, *, title: str, sizes: list[int]) -> None:
    for line in _lines(points):
        rows = select_rows(points, rival=line.rival, model=line.model).sort_values("hidden_size")
        axes.vlines(rows["hidden_size"], rows["low_quartile"], rows["high_quartile"], color=line.look["color"])
        axes.plot(rows["hidden_size"], rows["microseconds"], **line.look)
    _finish(axes, title=title, sizes=sizes)


def _finish(axes: Axes, *, title: str, sizes: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, labels=[str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yscale("log")
    axes.set_title(title)


def _legends(figure: Figure, shown: pd.DataFrame) -> None:
    rivals = [name for name in IMPLEMENTATIONS if name in set(shown["rival"])]
    models = [name for name in MODELS if name in set(shown["model"])]
    whose = [Line2D([], [], color=Line(n, "rnn").look["color"], linewidth=2, label=IMPLEMENTATIONS[n]) for n in rivals]
    what = [Line2D([], [], **(Line("", n).look | {"color": "0.2"}), label=MODELS[n]) for n in models]
    figure.legend(handles=[*whose, *what], loc="outside lower center", ncols=4, frameon=False, handlelength=3)
