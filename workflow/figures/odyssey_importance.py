"""Share of the variance of test accuracy by hyperparameter, over n trials of each variant, one panel per task and lag.

Bars add up to all variance of the trials' test accuracy: by the learning rate alone, the hidden size alone, both in
interaction, and the rest (seeds, and what a polynomial in the two does not follow). A line inside a bar is the 95 %
bootstrap interval of its length, measured from its left end. At the right stands the standard deviation of accuracy
that is shared out: a share of nearly nothing means nothing.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow.figures.style.look import COLOURS, SMALL, Tables, rows_of, styled
from workflow.figures.style.panels import place_below
from workflow.figures.style.searches import facets_of, places_of, row_panels, trials_note
from workflow.tables.odyssey_importance import SHARES

NEEDS = ("odyssey_importance",)
FILLS = dict(zip(SHARES, (COLOURS[0], COLOURS[4], COLOURS[2], "0.88"), strict=True))
HEIGHTS = dict(zip(SHARES[:3], (0.2, 0.0, -0.2), strict=True))  # the rest has no line: it is what remains


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = tables.more["odyssey_importance"]
    variants = [label for label in tables.labels.models if label in set(table["variant"])]
    facets = facets_of(table, labels=tables.labels)
    figure, panels = row_panels(facets, rows=variants)
    for facet, axes in zip(facets, panels, strict=True):
        _draw_panel(axes, facet.select_rows(table), variants=variants)
        axes.set_title(facet.title)
        axes.set_xlabel("share of variance")
    legend = [
        Line2D([], [], color=fill, linewidth=5, label=share.removesuffix("_share").replace("_", " "))
        for share, fill in FILLS.items()
    ]
    note = f"{trials_note(table)}; lines: 95 % bootstrap interval; right: standard deviation of accuracy"
    place_below(figure, [("", legend)], note=note)
    return figure


def _draw_panel(axes: Axes, table: pd.DataFrame, *, variants: list[str]) -> None:
    for variant, place in places_of(variants).items():
        for row in rows_of(table, variant=variant).to_dict("records"):
            start = 0.0
            for share, fill in FILLS.items():
                if pd.isna(row[share]):
                    continue
                axes.barh(place, row[share], left=start, height=0.7, color=fill, linewidth=0, zorder=2)
                if share in HEIGHTS:
                    limits = (start + row[f"{share}_low"], start + row[f"{share}_high"])
                    axes.hlines(place + HEIGHTS[share], *limits, color="black", linewidth=0.8, zorder=3)
                start += row[share]
            axes.annotate(
                f"{row['deviation']:.2f}", (1, place), xytext=(3, 0), textcoords="offset points",
                ha="left", va="center", fontsize=SMALL, annotation_clip=False,
            )  # fmt: skip
    axes.set_xlim(0, 1)
