"""Training sequences until the published stop rule held: the paper's number (grey diamond) over what it takes here.

One row per published number; in it a line per gradient and learning rate, which the label at the right names. Dots are
the n seeds that solve the task; the bar is where 95 % of means of as many trials as the paper's would lie if they came
from the distribution of these seeds. An open triangle at the budget says how many seeds did not solve it: there is no
bar then, and no verdict. A star behind an experiment's name: random weight guessing solves it.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from workflow.figures.style.legends import OPEN, describe_count, describe_easy, place_below
from workflow.figures.style.look import COLOURS, REFERENCE, SMALL, Tables, apply_style, choose_dashes, select_rows
from workflow.figures.style.panels import label_right, new_figure

NEEDS = ("published",)
LANE, GAP = 0.15, 0.26  # inches: of a gradient at a learning rate, and between two rows for the name of the lower one
COLOUR = COLOURS[0]  # one for all: a row is one model
BAR: dict[str, Any] = {"color": COLOUR, "linewidth": 7, "alpha": 0.3}
PAPER: dict[str, Any] = {
    "color": REFERENCE,
    "marker": "D",
    "markersize": 4.5,
    "markeredgewidth": 0,
    "linestyle": "none",
}
CONDITION = ("device", "task", "lag", "model", "gradient", "learning_rate")


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = tables.needs["published"]
    row = table.groupby(["table", "experiment"], sort=False).ngroup()
    table = table.assign(row=row).sort_values("row", kind="stable")
    table["height"] = -LANE * (np.arange(len(table)) + 0.5) - GAP * (table["row"] + 1)
    figure = new_figure(columns=1, height=LANE * len(table) + GAP * (row.max() + 1) + 0.5)
    axes = figure.subplots()
    for _, lanes in table.groupby("row"):
        first, top, bottom = lanes.iloc[0], lanes["height"].max() + LANE / 2, lanes["height"].min() - LANE / 2
        name = f"{first['table']}: {first['experiment']}{'*' if first.get('easy') else ''}"
        axes.text(0.01, top + 0.04, name, transform=axes.get_yaxis_transform(), fontsize=SMALL, va="bottom")
        axes.vlines(first["paper_sequences"], bottom, top, color=REFERENCE, linewidth=0.7, zorder=1)
        axes.plot(first["paper_sequences"], (top + bottom) / 2, **PAPER, zorder=2)
    markers = {name: marker for name, (_, marker) in choose_dashes(tables.labels.gradients).items()}
    for lane in table.to_dict("records"):
        height, unsolved = lane["height"], lane["seeds"] - lane["solved"]
        replicas = select_rows(tables.summary, **{name: lane[name] for name in CONDITION})
        times = replicas["updates_to_solve"].dropna().to_numpy(dtype=float)
        face = COLOUR if lane["learning_rate"] == lane["paper_learning_rate"] else "white"
        look: dict[str, Any] = {
            "color": COLOUR,
            "marker": markers[lane["gradient"]],
            "markerfacecolor": face,
            "ms": 2.4,
        }
        axes.plot(times, np.full(len(times), height), **look, linestyle="none", markeredgewidth=0.4, zorder=3)
        axes.hlines(height, lane["predicted_low"], lane["predicted_high"], **BAR, zorder=2)
        if unsolved:
            axes.plot(lane["budget"], height, ">", color=COLOUR, mfc="white", markersize=4, markeredgewidth=0.8)
            label_right(axes, height, label=str(unsolved), x=lane["budget"], gap=4, colour=COLOUR)
        label_right(axes, height, label=f"{lane['learning_rate']:g}", gap=3, colour="black")
    axes.set(xscale="log", xlabel="training sequences", ylim=(table["height"].min() - 1.5 * LANE, 0), yticks=[])
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace(",", " "))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.spines["left"].set_visible(False)
    trained = [name for name in markers if name in set(table["gradient"])]
    symbols = {"paper": PAPER} | {name: {"linestyle": "none", "marker": markers[name]} for name in trained}
    if (table["learning_rate"] != table["paper_learning_rate"]).any():
        symbols["other rate"] = OPEN | {"marker": "o"}
    symbols |= {"seeds unsolved": OPEN | {"marker": ">"}, "predicted": BAR}
    spread = "right: learning rate, filled where it is the paper's; bars: 95 % of means as the paper's"
    note = describe_count(table["seeds"], "seeds", spread=spread) + describe_easy(table)
    return place_below(figure, {"": symbols}, note=note)
