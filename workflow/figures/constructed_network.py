"""The gradient of a network that is built by hand, not trained, to ignore all inputs but the one 11 steps back.

Above: norms of the output's derivatives at step T-u, medians over n draws of recurrent weights and inputs, bands from
the smallest to the largest: by the cell state, and the term of the weights. Solid: full gradient; dashed: truncated as
in 1997, where it differs. Below: how far the gates are open at that step, black for open. The error stays in the cell
past ten shut input gates, and the term at u = 11 has not decayed.
"""

import seaborn as sns
from matplotlib.figure import Figure

from workflow.figures.style.legends import place_below
from workflow.figures.style.look import COLOURS, Tables, apply_style, select_rows
from workflow.figures.style.panels import new_figure

NEEDS = ("constructed",)
CURVES = {"of_cell": "cell state, dC/dc(T-u)", "term": "term of the weights, dC/dW(T-u)"}
DASHES = {"full": "", "truncated_1997": (1.5, 1.5)}
GATES = {"output_gate": "output gate", "forget_gate": "forget gate", "input_gate": "input gate"}


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = tables.needs["constructed"]
    figure = new_figure(columns=1, height=2.9)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for name, colour in zip(CURVES, COLOURS, strict=False):
        sns.lineplot(
            table, x="u", y=name, style="flow", style_order=list(DASHES), dashes=DASHES, color=colour,
            marker=".", markeredgecolor=colour, estimator="median", errorbar=("pi", 100),
            err_kws={"alpha": 0.15, "linewidth": 0}, legend=False, ax=above,
        )  # fmt: skip
    above.set_yscale("log")
    above.set_ylabel("norm of the derivative")
    openings = select_rows(table, flow="full").groupby("u")[list(GATES)].mean()
    gates = range(len(GATES))
    below.pcolormesh(openings.index, gates, openings.T, cmap="Greys", vmin=0, vmax=1, edgecolors="0.8", lw=0.3)
    below.set_yticks(gates, labels=GATES.values())
    below.tick_params(left=False)
    below.set_xlabel("steps back from the end, u")
    below.set_xticks(range(int(table["u"].max()) + 1), minor=True)
    below.set_xticks([0, 5, 11, 15])
    curves = {label: {"color": colour} for label, colour in zip(CURVES.values(), COLOURS, strict=False)}
    flows = {flow: {"linestyle": (0, dash) if dash else "solid"} for flow, dash in DASHES.items()}
    note = f"n = {table['seed'].nunique()} draws; band: smallest to largest"
    return place_below(figure, {"gradient": flows, "": curves}, note=note)
