"""Whether a figure can be read: its texts and their boxes, looked at by machine."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def texts_of(figure: Figure) -> list[tuple[str, Bbox]]:
    """Return every text that is drawn and its box in pixels; tick labels outside the limits are not drawn."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            hidden |= {tick.label1 for tick in ticks if not low <= tick.get_loc() <= high}
            hidden |= {tick.label2 for tick in ticks}
    actual = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in actual if text not in hidden]


def assert_readable(figure: Figure) -> None:
    """Nothing clipped, nothing over anything, nothing too small, no wider than a page, legends outside the panels."""
    width, height = figure.get_size_inches()
    assert width <= 7.0
    canvas = Bbox([[0, 0], [width * figure.dpi, height * figure.dpi]])
    texts = texts_of(figure)
    for text, box in texts:
        assert canvas.x0 <= box.x0 and box.x1 <= canvas.x1, f"{text!r} is clipped sideways"  # noqa: PT018
        assert canvas.y0 <= box.y0 and box.y1 <= canvas.y1, f"{text!r} is clipped above or below"  # noqa: PT018
    for (item, box), (other, adjacent) in combinations(texts, 2):
        assert not box.padded(-1).overlaps(adjacent.padded(-1)), f"{item!r} lies over {other!r}"
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 7
    renderer = FigureCanvasAgg(figure).get_renderer()
    for legend in figure.legends:
        for axes in figure.axes:
            assert not legend.get_window_extent(renderer).overlaps(axes.get_tightbbox(renderer))
    assert all(axes.get_legend() is None for axes in figure.axes)
