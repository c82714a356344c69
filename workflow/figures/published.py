"""Training sequences until the published stop rule held: the paper's number (grey diamond) over what it takes here.

One row per published number; in it a line per gradient and learning rate, which the label at the right names. Dots are
the n seeds that solve the task; the bar is where 95 % of means of as many trials as the paper's would lie if they came
from the distribution of these seeds. An open triangle at the budget says how many seeds did not solve it: there is no
bar then, and no verdict. A star behind an experiment's name: random weight guessing solves it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from workflow.figures.style.look import COLOURS, REFERENCE, SMALL, Tables, gradient_dashes, rows_of, styled
from workflow.figures.style.panels import new_figure, place_below

NEEDS = ("published",)
LANE, GAP = 0.15, 0.26  # inches: of a gradient at a learning rate, and between two rows for the name of the lower one
COLOUR = COLOURS[0]  # one for all: a row is one model
BAR: dict[str, Any] = {"linewidth": 7, "alpha": 0.3}
PAPER: dict[str, Any] = {"marker": "D", "color": REFERENCE, "markersize": 4.5, "linestyle": "none"}


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = tables.more["published"]
    rows = list(dict.fromkeys(table[["table", "experiment"]].itertuples(index=False, name=None)))
    height = LANE * len(table) + GAP * len(rows) + 0.5
    figure = new_figure(columns=1, height=height)
    axes = figure.subplots()
    top = 0.0
    for title, experiment in rows:
        row = table[(table["table"] == title) & (table["experiment"] == experiment)]
        top = _draw_row(axes, row, tables, top=top - GAP)
    axes.set_ylim(top - LANE, 0)
    _finish_axes(axes, table)
    place_below(figure, [("", _symbols(table, tables))], note=_note(table))
    return figure


def _draw_row(axes: Axes, row: pd.DataFrame, tables: Tables, *, top: float) -> float:
    """Draw the lanes of one published number below `top` (inches); return where they end."""
    first = row.iloc[0]
    easy = "*" if first.get("easy") else ""
    axes.annotate(
        f"{first['table']}: {first['experiment']}{easy}", (0, top), xycoords=axes.get_yaxis_transform(), xytext=(2, 3),
        textcoords="offset points", fontsize=SMALL, va="bottom",
    )  # fmt: skip
    bottom = top - LANE * len(row)
    axes.vlines(first["paper_sequences"], bottom, top, color=REFERENCE, linewidth=0.7, zorder=1)
    axes.plot(first["paper_sequences"], (top + bottom) / 2, **PAPER, markeredgewidth=0, zorder=2)
    for rank, lane in enumerate(row.to_dict("records")):
        _draw_lane(axes, lane, tables, height=top - LANE * (rank + 0.5))
    return bottom


def _draw_lane(axes: Axes, lane: Mapping[Any, Any], tables: Tables, *, height: float) -> None:
    names = ("device", "task", "lag", "model", "gradient", "learning_rate")
    replicas = rows_of(tables.summary, **{name: lane[name] for name in names})
    marker = gradient_dashes(tables.labels)[lane["gradient"]][1]
    face = COLOUR if lane["learning_rate"] == lane["paper_learning_rate"] else "white"
    times = replicas["updates_to_solve"].dropna().to_numpy(dtype=float)
    look: dict[str, Any] = {"color": COLOUR, "marker": marker, "markerfacecolor": face, "linestyle": "none"}
    axes.plot(times, np.full(len(times), height), **look, markersize=2.4, markeredgewidth=0.4, zorder=3)
    axes.hlines(height, lane["predicted_low"], lane["predicted_high"], color=COLOUR, **BAR, zorder=2)
    missed = lane["seeds"] - lane["solved"]
    if missed:
        axes.plot(lane["budget"], height, ">", color=COLOUR, markerfacecolor="white", markersize=4, markeredgewidth=0.8)
        axes.annotate(
            str(missed), (lane["budget"], height), xytext=(4, 0), textcoords="offset points", fontsize=SMALL,
            va="center", color=COLOUR,
        )  # fmt: skip
    axes.annotate(
        f"{lane['learning_rate']:g}", (1, height), xycoords=axes.get_yaxis_transform(), xytext=(3, 0),
        textcoords="offset points", fontsize=SMALL, va="center", annotation_clip=False,
    )  # fmt: skip


def _finish_axes(axes: Axes, table: pd.DataFrame) -> None:
    axes.set_xscale("log")
    shown = [table["paper_sequences"], table["predicted_low"].replace(0, np.nan), table["median_low"]]
    shown += [table["predicted_high"], table["budget"].where(table["solved"] < table["seeds"])]
    values = pd.concat(shown).dropna().to_numpy(dtype=float)
    axes.set_xlim(0.6 * values.min(), 1.7 * values.max())
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", " ")))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training sequences")
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines["left"].set_visible(False)


def _symbols(table: pd.DataFrame, tables: Tables) -> list[Line2D]:
    looks = gradient_dashes(tables.labels)
    grey: dict[str, Any] = {"color": "0.2", "linestyle": "none"}
    gradients: Sequence[str] = [name for name in tables.labels.gradients if name in set(table["gradient"])]
    other = (table["learning_rate"] != table["paper_learning_rate"]).any()
    return [
        Line2D([], [], **PAPER, markeredgewidth=0, label="paper"),
        *(Line2D([], [], **grey, marker=looks[name][1], label=name) for name in gradients),
        *([Line2D([], [], **grey, marker="o", markerfacecolor="white", label="other rate")] if other else []),
        Line2D([], [], **grey, marker=">", markerfacecolor="white", label="seeds unsolved"),
        Line2D([], [], color=COLOUR, **BAR, label="predicted"),
    ]


def _note(table: pd.DataFrame) -> str:
    fewest, most = table["seeds"].min(), table["seeds"].max()
    seeds = f"n = {fewest}" if fewest == most else f"n = {fewest} to {most}"
    easy = "; *: random weight guessing solves it" if "easy" in table and table["easy"].any() else ""
    bars = "bars: 95 % of means as the paper's"
    return f"{seeds} seeds; right: learning rate, filled where it is the paper's; {bars}{easy}"
