"""The look of the figures: one colour per model, one dash and marker per gradient, and files that reproduce."""

import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib
import pandas as pd
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe & Ito (2008), darkest first; their yellow is too pale for a line on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
Dash = Literal["solid"] | tuple[float, tuple[float, ...]]
DASHES: tuple[Dash, ...] = (
    "solid",
    (0, (4, 1.5)),
    (0, (1.2, 1.2)),
    (0, (5, 1.2, 1.2, 1.2)),
    (0, (8, 2)),
    (0, (5, 1.2, 1.2, 1.2, 1.2, 1.2)),
)
MARKERS = ("o", "s", "D", "v", "P", "X")
REFERENCE = "0.35"  # grey of chance and budget lines and of what belongs to no model
SMALL, NORMAL = 7, 8

RC: dict[Any, Any] = {
    **matplotlib.rcParamsDefault,  # not what a user's matplotlibrc says
    "backend": "agg",
    "font.size": SMALL,
    "axes.labelsize": NORMAL,
    "axes.titlesize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
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
    more: Mapping[str, pd.DataFrame] = {}
    """The tables that the figure declares as `NEEDS`, by name."""


class Series(NamedTuple):
    """One line of a figure: a model under a gradient, and how it looks."""

    model: str
    gradient: str
    colour: str
    dash: Dash
    marker: str
    offset: float  # its place among the others at the same x, from -0.5 to 0.5

    @property
    def line(self) -> dict:
        """The keywords of a line without markers."""
        return {"color": self.colour, "linestyle": self.dash}

    @property
    def points(self) -> dict:
        """The keywords of a line with markers, which a thin white edge sets off from each other."""
        return self.line | {"marker": self.marker, "markeredgecolor": "white", "markeredgewidth": 0.4}


def model_colours(labels: Labels) -> dict[str, str]:
    """Return the colour of every model; from eight on, evenly spaced hues that are no longer colour-blind safe."""
    count = len(labels.models)
    palette = COLOURS if count <= len(COLOURS) else sns.husl_palette(count, l=0.55).as_hex()
    return dict(zip(labels.models, palette, strict=False))


def gradient_dashes(labels: Labels) -> dict[str, tuple[Dash, str]]:
    """Return the dash pattern and the marker of every gradient; past six gradients the patterns repeat."""
    looks = list(zip(DASHES, MARKERS, strict=True))
    return {name: looks[index % len(looks)] for index, name in enumerate(labels.gradients)}


def series_of(tables: Tables) -> list[Series]:
    """Return the series that the statistics hold, in the order of the config."""
    colours, dashes = model_colours(tables.labels), gradient_dashes(tables.labels)
    present = set(tables.statistics[["model", "gradient"]].itertuples(index=False, name=None))
    pairs = [(model, gradient) for model in colours for gradient in dashes if (model, gradient) in present]
    unknown = present - set(pairs)
    if unknown:
        raise ValueError(
            f"series {sorted(unknown)} in the tables, but the config defines models "
            f"{', '.join(colours)} and gradients {', '.join(dashes)}"
        )
    last = max(len(pairs) - 1, 1)
    return [
        Series(
            model, gradient, colours[model], *dashes[gradient], offset=(rank / last - 0.5) if len(pairs) > 1 else 0.0
        )
        for rank, (model, gradient) in enumerate(pairs)
    ]


def rows_of(table: pd.DataFrame, **keys: object) -> pd.DataFrame:
    """Return the rows of a table whose columns have the given values."""
    for name, value in keys.items():
        table = table[table[name] == value]
    return table


def styled(draw: Callable[[Tables], Figure]) -> Callable[[Tables], Figure]:
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
    stem.parent.mkdir(parents=True, exist_ok=True)
    undated: dict[str, dict[str, str | None]] = {
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None, "Subject": source},
        "svg": {"Date": None, "Creator": None, "Source": source},
        "png": {"Software": None, "Source": source},
    }
    for kind, metadata in undated.items():
        target = stem.with_name(f"{stem.name}.{kind}")
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with matplotlib.rc_context(RC):
                figure.savefig(draft, format=kind, dpi=300, metadata=metadata)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
