"""Test accuracy of the variants of a random search over hidden size and learning rate, one panel per task and lag.

Faint dots are single trials, n per variant; the marker is the mean of the best tenth, chosen by validation, with its 95
% bootstrap interval over jobs (hidden size and seed). It is filled where this best tenth differs from that of the
reference (Welch's test, Holm's correction over the variants, p < 0.05). The line marks the reference's best tenth;
chance is the best predictor that remembers nothing, guessing the best of random weights where that was measured; a
star marks what such a guess solves.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow.figures.style.look import COLOURS, REFERENCE, Tables, rows_of, styled
from workflow.figures.style.panels import place_below
from workflow.figures.style.searches import facets_of, places_of, row_panels, trials_note
from workflow.statistics.trials import find_variants, rank_trials

NEEDS = ("odyssey",)
COLOUR, LEVEL = COLOURS[0], 0.05
CHANCE: dict[str, Any] = {"color": REFERENCE, "linewidth": 0.7, "linestyle": (0, (4, 2)), "zorder": 1}
BEST: dict[str, Any] = {"color": COLOURS[1], "linewidth": 0.9, "zorder": 2}
GUESS: dict[str, Any] = {"color": COLOURS[1], "marker": "|", "linestyle": "none", "markersize": 6, "zorder": 4}


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = tables.more["odyssey"]
    trials = rank_trials(tables.summary, variants=find_variants(tables.summary, names=set(table["variant"])))
    variants = [label for label in tables.labels.models if label in set(table["variant"])]
    facets = facets_of(table, labels=tables.labels)
    figure, panels = row_panels(facets, rows=variants)
    for facet, axes in zip(facets, panels, strict=True):
        _draw_panel(axes, facet.select_rows(table), facet.select_rows(trials), variants=variants)
        easy = "easy" in table and facet.select_rows(table)["easy"].any()
        axes.set_title(f"{facet.title}{'*' if easy else ''}")
        axes.set_xlabel("test accuracy")
    note = f"{trials_note(table)}; bars: 95 % bootstrap interval of the best tenth over jobs"
    if "easy" in table and table["easy"].any():
        note += "; *: random weight guessing solves it"
    place_below(figure, [("", _symbols(table))], note=note)
    return figure


def _draw_panel(axes: Axes, table: pd.DataFrame, trials: pd.DataFrame, *, variants: list[str]) -> None:
    axes.axvline(table["chance_accuracy"].iloc[0], **CHANCE)
    for variant, place in places_of(variants).items():
        for row in rows_of(table, variant=variant).to_dict("records"):
            scores = rows_of(trials, variant=variant).sort_values("rank")["score"]
            spread = place + 0.6 * (0.618 * np.arange(len(scores)) % 1) - 0.3  # the same places every time
            axes.plot(scores, spread, ".", color=COLOUR, alpha=0.25, markersize=2.5, markeredgewidth=0, zorder=2)
            face = COLOUR if row["best_p_holm"] < LEVEL else "white"
            axes.hlines(place, row["best_low"], row["best_high"], color=COLOUR, linewidth=1.2, zorder=3)
            axes.plot(row["best_accuracy"], place, "o", color=COLOUR, markerfacecolor=face, markersize=4, zorder=5)
            axes.plot(row.get("guess_accuracy", np.nan), place, **GUESS)
            if np.isnan(row["difference"]):
                axes.axvline(row["best_accuracy"], **BEST)
    axes.set_xlim(-0.03, 1.03)


def _symbols(table: pd.DataFrame) -> list[Line2D]:
    reference = ", ".join(dict.fromkeys(table.loc[table["difference"].isna(), "variant"]))
    point: dict[str, Any] = {"color": COLOUR, "marker": "o", "markersize": 4}
    symbols = [
        Line2D([], [], color=COLOUR, marker=".", linestyle="none", alpha=0.4, label="trial"),
        Line2D([], [], **point, markerfacecolor="white", label="best tenth"),
        Line2D([], [], **point, label=f"best tenth, differs from {reference}"),
        Line2D([], [], **BEST, label=f"best tenth of {reference}"),
        Line2D([], [], **CHANCE, label="chance"),
    ]
    return symbols + ([Line2D([], [], **GUESS, label="guessing")] if "guess_accuracy" in table.columns else [])
