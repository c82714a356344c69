"""Test accuracy of the variants of a random search over hidden size and learning rate, one panel per task and lag.

Faint dots are single trials, n per variant; the marker is the mean of the best tenth, chosen by validation, with its 95
% bootstrap interval over jobs (hidden size and seed). It is filled where this best tenth differs from that of the
reference (Welch's test, Holm's correction over the variants, p < 0.05). The line marks the reference's best tenth;
chance is the best predictor that remembers nothing, guessing the best of random weights where that was measured; a
star marks what such a guess solves.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from workflow.figures.style.legends import OPEN, describe_count, describe_easy, place_below
from workflow.figures.style.look import COLOURS, REFERENCE, Tables, apply_style, select_rows
from workflow.figures.style.panels import make_variant_panels
from workflow.statistics.trials import find_variants, rank_trials

NEEDS = ("odyssey",)
COLOUR, LEVEL = COLOURS[0], 0.05
CHANCE: dict[str, Any] = {"color": REFERENCE, "linewidth": 0.7, "linestyle": (0, (4, 2)), "zorder": 1}
BEST: dict[str, Any] = {"color": COLOURS[1], "linewidth": 0.9, "zorder": 2}
TENTH: dict[str, Any] = {"color": COLOUR, "marker": "o", "markersize": 4, "zorder": 5}
GUESS: dict[str, Any] = {"color": COLOURS[1], "marker": "|", "linestyle": "none", "markersize": 6, "zorder": 4}


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = tables.needs["odyssey"].sort_values("variant")
    trials = rank_trials(tables.summary, variants=find_variants(tables.summary, names=set(table["variant"])))
    figure, panels, places = make_variant_panels(table, tables.labels, xlabel="test accuracy")
    for facet, (axes,) in panels:
        rows = facet.select(table)
        axes.axvline(rows["chance_accuracy"].iloc[0], **CHANCE)
        for row in rows.to_dict("records"):
            place = places[row["variant"]]
            scores = select_rows(facet.select(trials), variant=row["variant"]).sort_values("rank")["score"]
            heights = place + 0.6 * (0.618 * np.arange(len(scores)) % 1) - 0.3  # the same places every time
            axes.plot(scores, heights, ".", color=COLOUR, alpha=0.25, markersize=2.5, markeredgewidth=0, zorder=2)
            face = COLOUR if row["best_p_holm"] < LEVEL else "white"
            axes.hlines(place, row["best_low"], row["best_high"], color=COLOUR, linewidth=1.2, zorder=3)
            axes.plot(row["best_accuracy"], place, **TENTH, markerfacecolor=face)
            axes.plot(row.get("guess_accuracy", np.nan), place, **GUESS)
            if np.isnan(row["difference"]):
                axes.axvline(row["best_accuracy"], **BEST)
        axes.set_title(f"{facet.title}*" if describe_easy(rows) else facet.title)
        axes.set_xlim(-0.03, 1.03)
    spread = "bars: 95 % bootstrap interval of the best tenth over jobs"
    note = describe_count(table["trials"], "trials of a variant", spread=spread) + describe_easy(table)
    reference = ", ".join(dict.fromkeys(table.loc[table["difference"].isna(), "variant"]))
    symbols = {
        "trial": {"color": COLOUR, "marker": ".", "linestyle": "none", "alpha": 0.4},
        "best tenth": TENTH | OPEN | {"linestyle": "solid"},
        f"best tenth, differs from {reference}": TENTH,
        f"best tenth of {reference}": BEST,
        "chance": CHANCE,
    }
    return place_below(figure, {"": symbols | ({"guessing": GUESS} if "guess_accuracy" in table else {})}, note=note)
