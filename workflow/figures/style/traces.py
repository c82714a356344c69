"""What the figures of measured gradients share: which conditions they draw, quantiles over seeds, and the looks."""

from collections.abc import Collection
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from workflow.figures.style.look import DASHES, MARKERS, REFERENCE, Dash, Labels, Tables, model_colours, rows_of

MOMENTS = {"initial": "as drawn", "half_way": "half-way", "solved": "solved"}
LAG: dict[str, Any] = {"color": REFERENCE, "linewidth": 0.7, "zorder": 1, "gid": "lag"}
PATHS = ("cell", "gates", "block_input", "peepholes", "output_peephole")  # the LSTM's, in the order of its equations


class Measured(NamedTuple):
    """A task at its largest measured lag, on a device, under the training gradient whose networks are drawn."""

    device: str
    task: str
    lag: int
    gradient: str
    title: str

    def select_rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of this condition; its models are not told apart."""
        return rows_of(table, device=self.device, task=self.task, lag=self.lag, gradient=self.gradient)


def measured_in(table: pd.DataFrame, *, labels: Labels) -> list[Measured]:
    """Return what a table has measured, by device and task, trained under the config's first gradient that it has."""
    gradient = next(label for label in labels.gradients if label in set(table["gradient"]))
    table = rows_of(table, gradient=gradient)
    devices = sorted(set(table["device"]))
    quantiles = []
    for device in devices:
        for task in labels.tasks:
            part = rows_of(table, device=device, task=task)
            if len(part):
                lag = int(part["lag"].max())
                title = (f"{task}, {device}" if len(devices) > 1 else task) + f"\nlag {lag}"
                quantiles.append(Measured(device, task, lag, gradient, title))
    return quantiles


def quartiles(table: pd.DataFrame, *, by: str, value: str) -> pd.DataFrame:
    """Return the columns `lower`, `middle` and `upper`: the quartiles and the median over the rows of each `by`."""
    groups = table.groupby(by)[value]
    quantiles = {name: groups.quantile(level) for name, level in (("lower", 0.25), ("middle", 0.5), ("upper", 0.75))}
    return pd.DataFrame(quantiles)


def draw_quartiles(axes: Axes, quantiles: pd.DataFrame, **look: Any) -> None:
    """Draw the median as a line and the quartiles as a band."""
    axes.fill_between(
        quantiles.index, quantiles["lower"], quantiles["upper"], color=look["color"], alpha=0.15, linewidth=0, zorder=2
    )
    axes.plot(quantiles.index, quantiles["middle"], zorder=3, **look)


def path_looks(table: pd.DataFrame) -> dict[str, tuple[Dash, str]]:
    """Return the dash and the marker of every path of a table, the LSTM's first, in the order of its equations."""
    present = set(table["path"])
    paths = [*(path for path in PATHS if path in present), *sorted(present - set(PATHS))]
    looks = list(zip(DASHES, MARKERS, strict=True))
    return {path: looks[rank % len(looks)] for rank, path in enumerate(paths)}


def model_legend(models: Collection[str], *, labels: Labels) -> list[Line2D]:
    """Return the entries of the models that are drawn, in the order of the config."""
    colours = model_colours(labels)
    return [Line2D([], [], color=colours[model], linewidth=2, label=model) for model in colours if model in models]


def name_left_out(tables: Tables, models: Collection[str], *, reason: str) -> str:
    """Name the models of the experiment that a figure cannot show, for its note; nothing if it shows all."""
    trained = set(tables.statistics["model"])
    left_out = [model for model in tables.labels.models if model in trained and model not in models]
    return f"; left out, {reason}: {', '.join(left_out)}" if left_out else ""


def seeds_in(table: pd.DataFrame) -> str:
    """Return a note on how many seeds the lines and bands are over."""
    count = table["seed"].nunique()
    return "n = 1 seed" if count == 1 else f"n = {count} seeds; line: median; band: quartiles"


def broken(label: str, *, width: int = 13) -> str:
    """Break a label after underscores into lines of at most `width` characters, for the title of a narrow panel."""
    lines = [""]
    for part in label.replace("_", "_ ").split():
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def few_ticks(axes: Axes) -> None:
    """Give a narrow panel's linear x-axis two or three whole numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, prune="upper"))
