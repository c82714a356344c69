"""Excess of the test accuracy over the floor of what a window shows, a panel per task and model.

The floor is the accuracy of the best predictor that sees nothing but the steps of the window. Cells hold the mean over
n seeds of accuracy minus floor, in points of a percent. Above 0 the network uses the state that is carried into the
window: random features where nothing that the target needs is ever inside, and else also weights that learned inside a
window what they do before it; below 0 it has not learned what the window shows. A dot in the corner: the 95 % bootstrap
interval over seeds holds 0. Lines and columns are those of the figure truncation_surface.
"""

from typing import Any

from matplotlib.figure import Figure

from workflow.figures.style.heatmaps import draw_maps
from workflow.figures.style.look import Tables, apply_style

NEEDS = ("surface",)


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    label = "test accuracy minus floor (points)"
    note = "cells: mean over seeds; dot: its 95 % bootstrap interval holds 0"
    colours: dict[str, Any] = {"cmap": "PuOr_r", "vmin": -100, "vmax": 100}
    return draw_maps(tables, value="excess_accuracy", colours=colours, form="+d", label=label, note=note)
