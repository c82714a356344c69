"""Share of the variance of test accuracy by hyperparameter, over n trials of each variant, one panel per task and lag.

Bars add up to all variance of the trials' test accuracy: by the learning rate alone, the hidden size alone, both in
interaction, and the rest (seeds, and what a polynomial in the two does not follow). A line inside a bar is the 95 %
bootstrap interval of its length, measured from its left end. At the right stands the standard deviation of accuracy
that is shared out: a share of nearly nothing means nothing.
"""

from matplotlib.figure import Figure

from workflow.figures.style.legends import describe_count, place_below
from workflow.figures.style.look import COLOURS, Tables, apply_style
from workflow.figures.style.panels import label_right, make_variant_panels
from workflow.tables.odyssey_importance import SHARES

NEEDS = ("odyssey_importance",)
FILLS = dict(zip(SHARES, (COLOURS[0], COLOURS[4], COLOURS[2], "0.88"), strict=True))
OFFSETS = dict(zip(SHARES[:3], (0.2, 0.0, -0.2), strict=True))  # the rest has no line: it is what remains


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = tables.needs["odyssey_importance"].sort_values("variant")
    figure, panels, places = make_variant_panels(table, tables.labels, xlabel="share of variance")
    for facet, (axes,) in panels:
        rows = facet.select(table).set_index("variant")
        heights = rows.index.map(places)
        ends = rows[list(SHARES)].fillna(0).cumsum(axis="columns")
        for share, fill in FILLS.items():
            start = ends[share] - rows[share]
            axes.barh(heights, rows[share], left=start, height=0.7, color=fill, linewidth=0, zorder=2)
            if share in OFFSETS:
                limits = (start + rows[f"{share}_low"], start + rows[f"{share}_high"])
                axes.hlines(heights + OFFSETS[share], *limits, color="black", linewidth=0.8, zorder=3)
        for height, deviation in zip(heights, rows["deviation"], strict=True):
            label_right(axes, height, label=f"{deviation:.2f}", gap=3, colour="black")
        axes.set_xlim(0, 1)
    legend = {
        share.removesuffix("_share").replace("_", " "): {"color": fill, "linewidth": 5} for share, fill in FILLS.items()
    }
    spread = "lines: 95 % bootstrap interval; right: standard deviation of accuracy"
    note = describe_count(table["trials"], "trials of a variant", spread=spread)
    return place_below(figure, {"": legend}, note=note)
