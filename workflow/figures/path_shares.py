"""Along which path the error reaches c(T-u): shares of the paths in dC/dc(T-u), which add up to 1, in trained networks.

Two rows of panels per task (at its largest lag). One step: what came from step T-u+1, by the path it took. All steps:
what each path contributed on the whole way from T, as its Shapley value (the mean of what opening the path adds, over
all orders of opening them; error may change paths, so that no path owns all it carries). A column per model, one line
per path; networks trained under the full gradient. Lines are medians over n seeds, bands reach from the lower to the
upper quartile; a share below 0 cancels error of the other paths.
"""

from itertools import product

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from workflow.figures.style.legends import describe_quartiles, name_omitted, place_below
from workflow.figures.style.look import EDGE, Tables, apply_style, choose_colours, choose_dashes, select_rows
from workflow.figures.style.panels import (
    draw_level,
    draw_quartiles,
    list_facets,
    make_grid,
    number_plainly,
    select_measured,
)

NEEDS = ("path_shares", "attribution")
PATHS = ("cell", "gates", "block_input", "peepholes", "output_peephole")  # the LSTM's, in the order of its equations
LIMITS = (-0.6, 1.6)


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    all_steps = select_rows(tables.needs["attribution"], kind="shapley").rename(columns={"paths": "path"})
    kinds = {
        name: select_measured(select_rows(table, snapshot="solved", quantity="c"), tables.labels)
        for name, table in {"one step": tables.needs["path_shares"], "all steps": all_steps}.items()
    }
    table = kinds["one step"]
    present = set(table["path"])
    looks = choose_dashes([*(path for path in PATHS if path in present), *sorted(present - set(PATHS))])
    lines = {path: {"linestyle": dash, "marker": marker} | EDGE for path, (dash, marker) in looks.items()}
    colours = choose_colours(tables.labels, table)
    rows = list(product(list_facets(table, tables.labels, by=("device", "task", "lag")), kinds))
    labels = [f"{facet.title}, {kind}".replace(", ", "\n") for facet, kind in rows]
    sharing = {"sharex": "row", "sharey": True}
    figure, grid = make_grid(labels, list(colours), height=1.1, xlabel="u (steps back)", **sharing)
    for (facet, kind), row in zip(rows, grid, strict=True):
        for (model, colour), axes in zip(colours.items(), row, strict=True):
            draw_level(axes, 0)
            draw_level(axes, 1)
            for path, look in lines.items():
                line = select_rows(facet.select(kinds[kind]), model=model, path=path)
                draw_quartiles(axes, line, x="u", y="share", color=colour, **look)
            axes.set_xscale("log", base=2)
            number_plainly(axes.xaxis, dense=False)
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_ylim(*LIMITS)
    note = f"{describe_quartiles(table)}; y: share of dC/dc(T-u)" + name_omitted(tables, colours, reason="without a c")
    return place_below(figure, {"path": lines}, note=note)
