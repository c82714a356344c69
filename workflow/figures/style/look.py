"""The look of the figures: one colour per model, one dash and marker per gradient, and files that reproduce."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib
import pandas as pd
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from records.writing import write_bytes

# Okabe & Ito (2008), darkest first; their yellow is too pale for a line on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
Dash = Literal["solid"] | tuple[float, tuple[float, ...]]
LENGTHS: tuple[tuple[float, ...], ...]
LENGTHS = ((4, 1.5), (1.2, 1.2), (5, 1.2, 1.2, 1.2), (8, 2), (5, 1.2, 1.2, 1.2, 1.2, 1.2))
DASHES: tuple[Dash, ...] = ("solid", *((0, lengths) for lengths in LENGTHS))
MARKERS = ("o", "s", "D", "v", "P", "X")
REFERENCE = "0.35"  # grey of chance and budget lines and of what belongs to no model
SMALL, NORMAL = 7, 8
EDGE: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.4}
"""The thin white edge that sets markers off from each other."""

RC: dict[Any, Any] = {
    **matplotlib.rcParamsDefault,  # not what a user's matplotlibrc says
    **dict.fromkeys(("font.size", "xtick.labelsize", "ytick.labelsize", "legend.fontsize"), SMALL),
    **dict.fromkeys(("axes.labelsize", "axes.titlesize"), NORMAL),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.6),
    **dict.fromkeys(("xtick.minor.width", "ytick.minor.width"), 0.4),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    **dict.fromkeys(("pdf.fonttype", "ps.fonttype"), 42),
    **{"legend.borderaxespad": 0, "legend.borderpad": 0.2, "legend.handlelength": 3, "legend.columnspacing": 1.4},
    **{"lines.linewidth": 1.1, "lines.markersize": 3.2},
    "backend": "agg",
    "svg.fonttype": "path",  # the same picture where the font is not installed
    "svg.hashsalt": "lagbench",
}


class Labels(NamedTuple):
    """The names of models, gradients and tasks in the order in which the config defines them."""

    models: tuple[str, ...]
    gradients: tuple[str, ...]
    tasks: tuple[str, ...]


class Tables(NamedTuple):
    """What a figure may read."""

    summary: pd.DataFrame
    statistics: pd.DataFrame
    curves: Callable[[Collection[int]], pd.DataFrame]
    """Gives the learning curves at some lags, read when it is called: of all there may be more than memory holds."""
    labels: Labels
    needs: Mapping[str, pd.DataFrame] = {}
    """The tables that the figure declares as `NEEDS`, by name."""


class Series(NamedTuple):
    """One line of a figure: a model under a gradient, and how it looks."""

    model: str
    gradient: str
    colour: str
    dash: Dash
    marker: str
    offset: float
    """Its place among the others at the same x, from -0.5 to 0.5."""
    width: float
    """The share of that room that it may fill."""

    def select(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return its rows of a table, by ascending lag."""
        return select_rows(table, model=self.model, gradient=self.gradient).sort_values("lag")

    @property
    def line(self) -> dict:
        """The keywords of a line without markers."""
        return {"color": self.colour, "linestyle": self.dash}

    @property
    def points(self) -> dict:
        """The keywords of a line with markers."""
        return self.line | {"marker": self.marker} | EDGE


def choose_colours(labels: Labels, table: pd.DataFrame | None = None) -> dict[str, str]:
    """Return the colour of every model, or of those in a table; from eight on they are no longer colour-blind safe."""
    count = len(labels.models)
    palette = COLOURS if count <= len(COLOURS) else sns.husl_palette(count, l=0.55).as_hex()
    plotted = set(labels.models if table is None else table["model"])
    return {model: colour for model, colour in zip(labels.models, palette, strict=False) if model in plotted}


def choose_dashes(names: Sequence[str]) -> dict[str, tuple[Dash, str]]:
    """Return the dash pattern and the marker of every gradient or path; past six the patterns repeat."""
    return {name: (DASHES[rank % len(DASHES)], MARKERS[rank % len(MARKERS)]) for rank, name in enumerate(names)}


def list_series(tables: Tables) -> list[Series]:
    """Return the series that the statistics hold, in the order of the config."""
    colours, dashes = choose_colours(tables.labels), choose_dashes(tables.labels.gradients)
    present = set(tables.statistics[["model", "gradient"]].itertuples(index=False, name=None))
    pairs = [(model, gradient) for model in colours for gradient in dashes if (model, gradient) in present]
    if unknown := present - set(pairs):
        raise ValueError(
            f"series {sorted(unknown)} in the tables, but the config defines models "
            f"{', '.join(colours)} and gradients {', '.join(dashes)}"
        )
    offsets = spread_evenly(len(pairs))
    return [
        Series(model, gradient, colours[model], *dashes[gradient], offset=offset, width=0.7 / len(pairs))
        for (model, gradient), offset in zip(pairs, offsets, strict=True)
    ]


def spread_evenly(count: int) -> list[float]:
    """Return places from -0.5 to 0.5, or 0 for one thing alone."""
    return [rank / (count - 1) - 0.5 for rank in range(count)] if count > 1 else [0.0] * count


def select_rows(table: pd.DataFrame, **keys: object) -> pd.DataFrame:
    """Return the rows of a table whose columns have the given values."""
    for name, value in keys.items():
        table = table[table[name] == value]
    return table


def apply_style(draw: Callable[[Tables], Figure]) -> Callable[[Tables], Figure]:
    """Run a draw function under the style, then fix its layout so that every file format shows the same."""

    @wraps(draw)
    def wrapped(tables: Tables) -> Figure:
        with matplotlib.rc_context(RC):
            figure = draw(tables)
            FigureCanvasAgg(figure)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            for axes in figure.axes:  # the layout's last digits vary, and with them the names of clip paths in an SVG
                left, bottom, width, height = (round(place, 6) for place in axes.get_position(original=True).bounds)
                axes.set_position((left, bottom, width, height))
        return figure

    return wrapped


def describe_source(tables: Sequence[Path]) -> str:
    """Return from which tables a figure is drawn, by name and the beginning of their SHA-256."""
    digests = (f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}" for path in tables)
    return f"Lagbench, drawn from {', '.join(digests)}"


def save(figure: Figure, stem: Path, *, source: str | None = None) -> None:
    """Write `stem`.pdf, .svg and .png (300 dpi): equal figures give equal bytes; each is renamed into place.

    Their metadata hold no date, and `source`, what they were drawn from.
    """
    undated: dict[str, dict[str, str | None]] = {
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None, "Subject": source},
        "svg": {"Date": None, "Creator": None, "Source": source},
        "png": {"Software": None, "Source": source},
    }
    for kind, metadata in undated.items():
        buffer = BytesIO()
        with matplotlib.rc_context(RC):
            figure.savefig(buffer, format=kind, dpi=300, metadata=metadata)
        write_bytes(stem.with_name(f"{stem.name}.{kind}"), buffer.getvalue())
