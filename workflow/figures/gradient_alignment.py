"""How like the full gradient the truncated one of 1997 is: cosine and norm ratio over all weights of the cell.

Left: against the lag, in networks as drawn (dashed) and with the best weights by validation (solid). Right: over a
training at the largest lag, from the first update (0) to the last (1). A row of panels per task, one line per model,
trained under the full gradient; lines are medians over n seeds, bands reach from the lower to the upper quartile. Where
both are 1 the truncation cuts nothing; a small step along the truncated gradient lowers the loss as long as the cosine
is above 0.
"""

from matplotlib.figure import Figure

from workflow.figures.style.legends import MOMENTS, describe_quartiles, list_model_looks, name_omitted, place_below
from workflow.figures.style.look import DASHES, Tables, apply_style, choose_colours, select_rows
from workflow.figures.style.panels import SweepAxis, draw_level, draw_quartiles, list_facets, make_grid, select_measured

NEEDS = ("alignment",)
PLOTTED = {"solved": DASHES[0], "initial": DASHES[1]}
QUANTITIES = {"cosine": "cosine", "norm_ratio": "norm ratio"}


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    alignment = select_rows(tables.needs["alignment"], quantity="all")
    table = select_measured(alignment, tables.labels, every_lag=True)
    training = select_rows(select_measured(alignment, tables.labels), snapshot="evaluation")
    updates = training.groupby(["device", "task", "model", "seed"])["update"]
    training = training.assign(progress=(updates.rank() - 1) / (updates.transform("count") - 1).clip(lower=1))
    facets, colours = list_facets(table, tables.labels), choose_colours(tables.labels, table)
    titles = [facet.title for facet in facets]
    figure, grid = make_grid(titles, [*QUANTITIES.values()] * 2, height=1.6, sharey="col")
    for facet, row in zip(facets, grid, strict=True):
        lags, evaluations = facet.select(table), facet.select(training)
        for value, left, right in zip(QUANTITIES, row[:2], row[2:], strict=True):
            SweepAxis(left, lags["lag"])
            left.set_xlabel("lag (steps)")
            right.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
            right.set_xlabel(f"training, lag {lags['lag'].max()}")
            draw_level(left, 1)
            draw_level(right, 1)
            for model, colour in colours.items():
                for moment, dash in PLOTTED.items():
                    line = select_rows(lags, model=model, snapshot=moment)
                    draw_quartiles(left, line, x="lag", y=value, color=colour, linestyle=dash, marker=".")
                draw_quartiles(right, select_rows(evaluations, model=model), x="progress", y=value, color=colour)
    moments = {MOMENTS[moment]: {"linestyle": dash} for moment, dash in PLOTTED.items()}
    note = f"{describe_quartiles(table)}; truncated_1997 against full"
    note += f"; trained under the gradient {table['gradient'].iloc[0]}"
    note += name_omitted(tables, colours, reason="without the truncated gradient")
    return place_below(figure, {"network": moments, "model": list_model_looks(tables, table)}, note=note)
