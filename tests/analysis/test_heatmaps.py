"""The two figures of the truncation surface: readable in every shape, true to the table, the same bytes again."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.analysis.readable import assert_readable
from workflow.figures.style.heatmaps import list_maps
from workflow.figures.style.look import Labels, Tables, save

FIGURES = ("truncation_surface", "truncation_excess")
LABELS = Labels(("rnn", "lstm"), ("full", "a_cell", "tbptt", "w5", "w10", "w40", "w80", "e40"), ("adding", "copy"))


def draw(name: str, tables: Tables) -> Figure:
    figure: Figure = importlib.import_module(f"workflow.figures.{name}").draw(tables)
    return figure


@pytest.fixture(scope="module")
def tables(settings_of, run_of, tables_of) -> Tables:
    """Adding and copy at four lags; windows of four sizes, one more kind for copy; 1997's flow, which is not drawn."""
    runs = []
    for task in ("adding", "copy"):
        windows = {"full": (None, None), "a_cell": (None, None), "w5": (5, 5), "w10": (10, 10), "w40": (40, 40)}
        windows |= {"w80": (80, 80)} | ({"e40": (1, 40)} if task == "copy" else {})
        for lag in (10, 35, 50, 100):
            for model in ("rnn", "lstm"):
                for name, (k1, k2) in windows.items():
                    if name == "a_cell" and model == "rnn":
                        continue
                    settings = settings_of(
                        task=task, lag=lag, model=model, gradient=name, seeds=[0, 1, 2], rates=[0.01]
                    )
                    settings["gradient"] |= {"k1": k1, "k2": k2}
                    if model == "rnn":
                        settings["gradient"]["paths"] = ["recurrent"]
                    if name == "a_cell":
                        settings["gradient"]["paths"] = ["cell"]
                    run = run_of(settings)
                    if lag < (k2 or 999) <= 2 * lag:
                        run["floor"] = {"loss": 0.7, "accuracy": 0.5}
                    if (task, lag, name) == ("adding", 100, "w5"):
                        for replica, shift in zip(run["replicas"], (-0.01, 0.01, 0.02), strict=True):
                            replica["test_accuracy"] = run["floor"]["accuracy"] + shift
                    runs.append(run)
    return tables_of(runs)._replace(labels=LABELS)


@pytest.fixture(scope="module")
def sampled(tables: Tables) -> dict[str, Figure]:
    return {name: draw(name, tables) for name in FIGURES}


def panel(figure: Figure, title: str) -> Axes:
    (axes,) = [axes for axes in figure.axes if axes.get_title() == title]
    return axes


@pytest.mark.parametrize("name", FIGURES)
def test_cells_hold_the_values_of_the_table(sampled: dict[str, Figure], name: str, tables: Tables) -> None:
    axes = panel(sampled[name], "copy\nlstm")
    column = {"truncation_surface": "accuracy", "truncation_excess": "excess_accuracy"}[name]
    surface = tables.needs["surface"]
    rows = surface[(surface["task"] == "copy") & (surface["model"] == "lstm")]
    cells = np.asarray(axes.collections[0].get_array()).reshape(4, 5)
    written = {(text.get_position()[0] - 0.5, text.get_position()[1] // 1): text.get_text() for text in axes.texts}
    for y, lag in enumerate((10, 35, 50, 100)):
        for x, gradient in enumerate(("w5", "w10", "w40", "w80", "full")):
            value = 100 * rows[(rows["lag"] == lag) & (rows["gradient"] == gradient)][column].iloc[0]
            assert cells[y, x] == pytest.approx(value)
            assert float(written[x, y].replace("−", "-")) == round(value)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["5", "10", "40", "80", "all"]


@pytest.mark.parametrize(("task", "all_in_sight"), [("adding", [2, 3, 4, 4]), ("copy", [2, 3, 3, 4])])
def test_lines_stand_where_a_window_first_holds_the_lag_and_where_it_shows_all(
    sampled: dict[str, Figure], task: str, all_in_sight: list[int], tables: Tables
) -> None:
    """Columns are 5, 10, 40, 80 and all, lags 10, 35, 50 and 100: a window of 10 holds 9, one of 40 holds 35.

    Of copy one of 40 holds lag 35 for five of the ten steps; of adding all is in sight beyond two lags.
    """
    solid, dashed = panel(sampled["truncation_surface"], f"{task}\nlstm").get_lines()
    assert list(solid.get_xdata()) == list(np.repeat([2, 2, 3, 4], 2))
    assert list(solid.get_ydata()) == [0, 1, 1, 2, 2, 3, 3, 4]
    assert list(dashed.get_xdata()) == list(np.repeat(all_in_sight, 2))


def test_only_most_of_the_paths_are_drawn_and_each_kind_of_window_has_its_panel(tables: Tables) -> None:
    maps = list_maps(tables.needs["surface"], LABELS)
    titles = ["adding\nrnn", "copy\nrnn", "adding\nlstm", "copy\nlstm", "copy, k1 = 1\nrnn", "copy, k1 = 1\nlstm"]
    assert [facet.title for facet, _ in maps] == titles
    assert all("a_cell" not in set(rows["gradient"]) for _, rows in maps)
    assert set(maps[-1][1]["gradient"]) == {"e40", "full"}


def test_easy_lags_have_a_star_and_a_note(sampled: dict[str, Figure], tables: Tables) -> None:
    figure = sampled["truncation_surface"]
    labels = [label.get_text() for label in panel(figure, "copy\nlstm").get_yticklabels()]
    assert labels == ["10*", "35", "50", "100"]
    assert any("guessing solves this lag" in text.get_text().replace("\n", " ") for text in figure.texts)


def test_cells_whose_interval_holds_the_floor_have_a_dot(sampled: dict[str, Figure], tables: Tables) -> None:
    axes = panel(sampled["truncation_excess"], "adding\nlstm")
    (dots,) = [actual for actual in axes.collections if actual.get_gid() == "uncertain"]
    surface = tables.needs["surface"]
    rows = surface[(surface["task"] == "adding") & (surface["model"] == "lstm") & (surface["gradient"] != "a_cell")]
    sure = (rows["excess_accuracy_low"] > 0) | (rows["excess_accuracy_high"] < 0)
    assert len(dots.get_offsets()) == (~sure).sum()
    assert (~sure).sum() == 1


SHAPES = {
    "one window": {"series": [("lstm", "full"), ("lstm", "tbptt")], "lags": [10, 25]},
    "no window": {"series": [("lstm", "full")], "lags": [25], "seeds": [0], "tasks": ["copy"]},
    "two devices": {"series": [("rnn", "full"), ("rnn", "tbptt")], "devices": ["cpu", "cuda"], "lags": [10]},
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_readable(sampled: dict[str, Figure], name: str, tables: Tables) -> None:
    assert_readable(sampled[name])


@pytest.mark.parametrize(
    ("name", "shape"), [*(("truncation_excess", shape) for shape in SHAPES), ("truncation_surface", "no window")]
)
def test_figures_of_other_shapes_are_readable(name: str, shape: str, tables_of, runs_of) -> None:
    assert_readable(draw(name, tables_of(runs_of(**SHAPES[shape]))))


@pytest.mark.slow
def test_files_reproduce_byte_for_byte(tables: Tables, tmp_path: Path) -> None:
    name = "truncation_excess"
    surface = tables.needs["surface"]
    shuffled = tables._replace(needs={"surface": surface.sample(frac=1, random_state=1)})
    for folder, some in (("first", tables), ("second", shuffled)):
        save(draw(name, some), tmp_path / folder / name)
    for kind in ("pdf", "svg", "png"):
        first, second = (tmp_path / folder / f"{name}.{kind}" for folder in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
