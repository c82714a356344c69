"""The gradient of a network that is built by hand, not trained, to ignore all inputs but the one 11 steps back.

Above: norms of the output's derivatives at step T-u, medians over n draws of recurrent weights and inputs, bands from
the smallest to the largest: by the cell state, and the term of the weights. Solid: full gradient; dashed: truncated as
in 1997, where it differs. Below: how far the gates are open at that step, black for open. The error stays in the cell
past ten shut input gates, and the term at u = 11 has not decayed.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow.figures.style.look import COLOURS, Dash, Tables, rows_of, styled
from workflow.figures.style.panels import new_figure, place_below

NEEDS = ("constructed",)
CURVES = {"of_cell": "cell state, dC/dc(T-u)", "term": "term of the weights, dC/dW(T-u)"}
FLOWS: dict[str, Dash] = {"full": "solid", "truncated_1997": (0, (1.5, 1.5))}
GATES = {"output_gate": "output gate", "forget_gate": "forget gate", "input_gate": "input gate"}


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = tables.more["constructed"]
    figure = new_figure(columns=1, height=2.9)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for name, colour in zip(CURVES, COLOURS, strict=False):
        for flow, dash in FLOWS.items():
            of_u = rows_of(table, flow=flow).groupby("u")[name]
            middle, low, high = of_u.median(), of_u.min(), of_u.max()
            above.plot(middle.index, middle, color=colour, linestyle=dash, marker="." if flow == "full" else "")
            above.fill_between(middle.index, low, high, color=colour, alpha=0.15, linewidth=0)
    above.set_yscale("log")
    above.set_ylabel("norm of the derivative")
    _draw_gates(below, rows_of(table, flow="full"))
    below.set_xlabel("steps back from the end, u")
    below.set_xticks(range(0, int(table["u"].max()) + 1, 1), minor=True)
    below.set_xticks([0, 5, 11, 15])
    curves = [Line2D([], [], color=c, label=label) for c, label in zip(COLOURS, CURVES.values(), strict=False)]
    flows = [Line2D([], [], color="0.2", linestyle=dash, label=flow) for flow, dash in FLOWS.items()]
    draws = table["seed"].nunique()
    place_below(figure, [("gradient", flows), ("", curves)], note=f"n = {draws} draws; band: smallest to largest")
    return figure


def _draw_gates(axes: Axes, table: pd.DataFrame) -> None:
    openings = table.groupby("u")[list(GATES)].mean()
    axes.pcolormesh(
        openings.index, range(len(GATES)), openings.T, cmap="Greys", vmin=0, vmax=1, edgecolors="0.8", lw=0.3
    )
    axes.set_yticks(range(len(GATES)), labels=GATES.values())
    axes.tick_params(left=False)
