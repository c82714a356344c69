"""Test accuracy over the lag and num_steps, the steps through which error flows back, a panel per task and model.

Cells hold the mean test accuracy in percent over n seeds at the learning rate that validation chose; the column "all"
is the gradient through the whole sequence. Windows are aligned to the end of the sequence unless the title gives k1,
the steps between two backward passes. Right of the solid line a window can hold a step and the one a lag before; right
of the dashed line windows show all that the target depends on. What is right left of the lines came into the window
with the carried state, along which no error went back (figure truncation_excess).
"""

from typing import Any

from matplotlib.figure import Figure

from workflow.figures.style.heatmaps import draw_maps
from workflow.figures.style.look import Tables, apply_style

NEEDS = ("surface",)


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    colours: dict[str, Any] = {"cmap": "cividis", "vmin": 0, "vmax": 100}
    note = "cells: mean over seeds; all: the whole sequence"
    return draw_maps(tables, value="accuracy", colours=colours, form="d", label="test accuracy (%)", note=note)
