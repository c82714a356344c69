"""Excess of the test accuracy over the floor of what a window shows, a panel per task and model.

The floor is the accuracy of the best predictor that sees nothing but the steps of the window. Cells hold the mean over
n seeds of accuracy minus floor, in points of a percent. Above 0 the network uses the state that is carried into the
window: random features where nothing that the target needs is ever inside, and else also weights that learned inside a
window what they do before it; below 0 it has not learned what the window shows. A dot in the corner: the 95 % bootstrap
interval over seeds holds 0. Lines and columns are those of the figure truncation_surface.
"""

from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from workflow.figures.style.heatmaps import Look, draw_maps
from workflow.figures.style.look import Tables, styled

NEEDS = ("surface",)


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    look = Look(
        value="excess_accuracy",
        colours=colormaps["PuOr_r"],
        norm=Normalize(-100, 100),
        text=_signed,
        label="test accuracy minus floor (points)",
        uncertain=True,
    )
    return draw_maps(tables, look, note="cells: mean over seeds; dot: its 95 % bootstrap interval holds 0")


def _signed(value: float) -> str:
    rounded = round(value)
    return "0" if rounded == 0 else f"{rounded:+d}".replace("-", "−")
