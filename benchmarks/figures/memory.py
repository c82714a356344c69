"""The memory that a forward and a backward pass of the fused kernel add, against T, R and B.

Dots are measured peaks, each in a process of its own; the line is the documented formula.
"""

from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from workflow.figures.style.look import COLOURS, RC, REFERENCE, save, select_rows
from workflow.figures.style.panels import new_figure

LABELS = {"sequence_length": "sequence length T", "replicas": "replicas R", "batch": "batch size B"}

SYMBOLS = {"replicas": "R", "hidden_size": "H", "batch": "B", "sequence_length": "T"}


def write(growth: pd.DataFrame, stem: Path) -> None:
    """Draw the table of memory and write it as PDF, SVG and PNG."""
    with matplotlib.rc_context(RC):
        save(draw(growth), stem)


def draw(growth: pd.DataFrame) -> Figure:
    """Draw the figure."""
    present = [axis for axis in LABELS if axis in set(growth["axis"])]
    figure = new_figure(columns=len(present), height=2.2)
    for axis, axes in zip(present, figure.subplots(1, len(present), squeeze=False)[0], strict=True):
        rows = select_rows(growth, axis=axis).sort_values("value")
        axes.plot([0, *rows["value"]], [0, *(rows["documented"] / 1e6)], color=REFERENCE, label="documented formula")
        axes.plot(rows["value"], rows["bytes"] / 1e6, "o", color=COLOURS[0], markersize=4, label="measured peak")
        axes.set_xlim(0, None)
        axes.set_ylim(0, None)
        axes.set_xticks(list(rows["value"]))
        axes.set_xlabel(LABELS[axis])
        fixed = [key for key in ("replicas", "hidden_size", "batch", "sequence_length") if key != axis]
        axes.set_title(", ".join(f"{SYMBOLS[key]} {rows[key].iloc[0]}" for key in fixed))
    figure.axes[0].set_ylabel("MB added by one call")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure
