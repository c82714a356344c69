"""Whatever figure stands in workflow/figures is drawn from tables of every shape, and looked at by machine."""

import ast
import hashlib
import importlib
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.analysis.readable import assert_readable, texts_of
from workflow.experiment.declarations import load_registry
from workflow.experiment.source_tree import SourceTree
from workflow.figures.style.look import Labels, Tables, choose_colours, describe_source, list_series, save, select_rows

FOLDER = Path(__file__).parents[2] / "workflow" / "figures"
CAPTIONED = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
COMPUTED = {"baselines"}  # by conftest.py, of any experiment; figures of other tables have tests of their own
NEEDS = load_registry(SourceTree(FOLDER.parents[1])).figures
FIGURES = [name for name in CAPTIONED if set(NEEDS[name].needs) <= COMPUTED]
REFERENCE_LINES = {"solved_versus_lag": "half", "updates_versus_lag": "budget"}  # the others draw chance
SINGLE, TWO = [("lstm", "full")], [("rnn", "full"), ("lstm", "tbptt")]
SHAPES = {
    "one series": {"series": SINGLE},
    "two series": {"series": TWO},
    "eight series": {},
    "one seed": {"series": TWO, "seeds": [4]},
    "all unsolved": {"solvable": False, "series": TWO},
    "one lag": {"lags": [25]},
    "one lag, task, seed, rate": {"series": SINGLE, "lags": [25], "tasks": ["copy"], "seeds": [0], "rates": [0.01]},
    "many lags": {"lags": [*range(10, 110, 10)], "series": TWO, "tasks": ["adding"]},
    "two devices": {"devices": ["cpu", "cuda"], "series": TWO},
    "two tasks": {"tasks": ["adding", "copy"], "series": TWO},
    "seven rates": {"rates": [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1], "series": TWO, "seeds": [0, 1]},
}

AT_ONCE = {"eight series", "one lag, task, seed, rate", "two devices"}  # the others take their time
SOME = [pytest.param(shape, marks=[] if shape in AT_ONCE else pytest.mark.slow) for shape in SHAPES]


def draw(name: str, tables: Tables) -> Figure:
    return importlib.import_module(f"workflow.figures.{name}").draw(tables)


@pytest.fixture(scope="module")
def shape(request, tables_of, runs_of) -> Tables:
    """Tables of one shape; made once, drawn by every figure."""
    return tables_of(runs_of(**SHAPES[request.param]))


@pytest.mark.parametrize("name", FIGURES)
def test_a_series_that_one_task_lacks_is_no_obstacle(name: str, tables_of, runs_of) -> None:
    runs = runs_of(series=TWO, tasks=["adding"]) + runs_of(series=TWO[:1], tasks=["copy"])
    assert len(draw(name, tables_of(runs)).axes) >= 2


@pytest.fixture(scope="module")
def figure(request, shape: Tables) -> Figure:
    """One figure, drawn once from the tables of a shape."""
    return draw(request.param, shape)


@pytest.mark.parametrize("name", CAPTIONED)
def test_docstring_is_a_caption(name: str) -> None:
    caption = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text()))
    assert caption
    assert 2 <= caption.replace(".\n", ". ").count(". ") + 1 <= 6
    assert " n " in f" {caption} ".replace("\n", " ")


@pytest.mark.parametrize("name", sorted(set(CAPTIONED) - set(FIGURES)))
def test_a_figure_of_further_tables_is_drawn_by_tests_of_its_own(name: str) -> None:
    others = (path for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__))
    assert any(f'"{name}"' in path.read_text() for path in others)


def test_the_figures_of_the_main_job_exist() -> None:
    assert {"accuracy_versus_lag", "solved_versus_lag", "updates_versus_lag"} <= set(FIGURES)
    assert {"learning_curves", "learning_rate_sensitivity"} <= set(FIGURES)


@pytest.mark.parametrize("shape", SOME, indirect=True)
@pytest.mark.parametrize(("figure", "name"), [(name, name) for name in FIGURES], indirect=["figure"])
def test_figure_is_readable_and_its_legend_names_what_is_drawn(figure: Figure, name: str, shape: Tables) -> None:
    assert_readable(figure)
    assert len(figure.legends) >= 2
    texts = texts_of(figure)
    assert REFERENCE_LINES.get(name, "chance") in [text for text, _ in texts]
    legends = {text.get_text(): line for legend in figure.legends
               for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)}  # fmt: skip
    series, colours = list_series(shape), choose_colours(shape.labels)
    assert {item.model for item in series} | {item.gradient for item in series} <= set(legends)
    for model in {item.model for item in series}:
        assert legends[model].get_color() == colours[model]
    sampled = {to_hex(line.get_color()) for axes in figure.axes for line in axes.get_lines() if not line.get_gid()}
    assert sampled <= {to_hex(item.colour) for item in series}
    for item in series:
        assert legends[item.gradient]._unscaled_dash_pattern == ((0, None) if item.dash == "solid" else item.dash)


def panels_with(figure: Figure, gid: str) -> list[tuple[Axes, np.ndarray]]:
    return [
        (axes, np.asarray(line.get_ydata()))
        for axes in figure.axes
        for line in axes.get_lines()
        if line.get_gid() == gid
    ]


@pytest.mark.parametrize("name", sorted(set(FIGURES) - set(REFERENCE_LINES)))
def test_chance_stands_in_every_panel_at_its_level(name: str, full_tables: Tables) -> None:
    figure = draw(name, full_tables)
    panels = panels_with(figure, "chance")
    assert [axes for axes, _ in panels] == figure.axes
    sampled = {round(float(level), 6) for _, heights in panels for level in heights}
    names = full_tables.summary[["chance_accuracy", "chance_loss"]].round(6)
    assert sampled in [set(names[column]) for column in names]  # the chance level of all tasks, in accuracy or in loss


def test_chance_that_varies_with_the_lag_is_drawn_as_it_varies(tables_of, runs_of) -> None:
    runs = runs_of(series=SINGLE, tasks=["copy"], lags=[10, 100])
    runs[1]["chance"]["accuracy"] = 0.4
    ((_, heights),) = panels_with(draw("accuracy_versus_lag", tables_of(runs)), "chance")
    assert heights.tolist() == [0.125, 0.125, 0.4, 0.4]


@pytest.mark.parametrize(
    ("name", "value", "panel"),
    [
        ("accuracy_versus_lag", "accuracy", 1),
        ("solved_versus_lag", "solved_fraction", 1),
        ("updates_versus_lag", "updates_to_solve_median", 1),
    ],
)
def test_lines_stand_at_the_values_of_the_table(name: str, value: str, panel: int, full_tables: Tables) -> None:
    axes = draw(name, full_tables).axes[panel]
    assert axes.get_title() == "copy"
    for item in list_series(full_tables):
        rows = select_rows(full_tables.statistics, task="copy", model=item.model, gradient=item.gradient).sort_values(
            "lag"
        )
        (line,) = [
            line for line in axes.get_lines() if line.get_color() == item.colour and line.get_marker() == item.marker
        ]
        np.testing.assert_array_equal(line.get_ydata(), rows[value])
        nearest = [min(rows["lag"], key=lambda lag: abs(np.log(lag / x))) for x in line.get_xdata()]
        assert nearest == list(rows["lag"])


def test_unsolved_conditions_are_open_triangles_at_the_budget(tables_of, runs_of) -> None:
    figure = draw("updates_versus_lag", tables_of(runs_of(series=TWO, solvable=False, lags=[10, 50])))
    for axes in figure.axes:
        triangles = [line for line in axes.get_lines() if line.get_marker() == "^" and len(line.get_xdata())]
        assert len(triangles) == 2
        for line in triangles:
            assert list(line.get_ydata()) == [2000, 2000]
            assert line.get_markerfacecolor() == "white"


def test_horizons_are_drawn_and_censored_ones_are_open(full_tables: Tables) -> None:
    axes = draw("solved_versus_lag", full_tables).axes[3]
    for height, item in enumerate(reversed(list_series(full_tables))):
        row = select_rows(full_tables.statistics, task="adding", model=item.model, gradient=item.gradient).iloc[0]
        (point,) = [line for line in axes.get_lines() if list(line.get_ydata()) == [height]]
        if row["horizon_censored"]:
            assert (point.get_marker(), list(point.get_xdata())) == (">", [200])
        elif row["horizon"] == 0:
            assert point.get_marker() == "<"
            assert point.get_xdata()[0] < 10
        else:
            assert (point.get_marker(), list(point.get_xdata())) == (item.marker, [row["horizon"]])


def test_curves_that_end_early_keep_their_last_value(full_tables: Tables) -> None:
    extend_curves = importlib.import_module("workflow.figures.learning_curves").extend_curves
    curve = select_rows(
        full_tables.curves([10]), task="copy", lag=10, model="lstm", gradient="full", learning_rate=0.01
    )
    extended = extend_curves(curve.assign(accuracy=curve["validation_accuracy"]), until=2000)
    table = extended.pivot(index="update", columns="seed", values="accuracy")
    assert table.index.max() == 2000
    assert not table.isna().any().any()
    for seed, part in curve.groupby("seed"):
        assert table[seed].iloc[-1] == part["validation_accuracy"].iloc[-1]
        assert len(part) < 41  # it did end early


def test_four_lags_are_drawn_with_the_smallest_and_the_largest(full_tables: Tables) -> None:
    spread_lags = importlib.import_module("workflow.figures.learning_curves").spread_lags
    assert spread_lags([50, 10, 10]) == [10, 50]
    assert spread_lags(range(1, 11)) == [1, 4, 7, 10]
    figure = draw("learning_curves", full_tables)
    assert [axes.get_title() for axes in figure.axes[:4]] == [f"adding, lag {lag}" for lag in (10, 25, 100, 200)]
    assert any("4 of the tested lags" in text.replace("\n", " ") for text, _ in texts_of(figure))


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_files_reproduce_byte_for_byte(name: str, full_tables: Tables, tmp_path: Path) -> None:
    shuffled = full_tables._replace(
        summary=full_tables.summary.sample(frac=1, random_state=1),
        statistics=full_tables.statistics.sample(frac=1, random_state=2),
        curves=lambda lags: full_tables.curves(lags).sample(frac=1, random_state=3),
    )
    save(draw(name, full_tables), tmp_path / "first" / name)
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 5, "savefig.bbox": "tight"}):  # a user's own style
        save(draw(name, shuffled), tmp_path / "second" / name)
    for kind in ("pdf", "svg", "png"):
        first = (tmp_path / "first" / f"{name}.{kind}").read_bytes()
        assert first == (tmp_path / "second" / f"{name}.{kind}").read_bytes()
        assert b"Date" not in first
        assert b"dc:date" not in first
    assert b"/Type3" not in (tmp_path / "first" / f"{name}.pdf").read_bytes()
    assert len(list((tmp_path / "first").iterdir())) == 3


def test_a_series_that_the_config_does_not_define_is_refused(full_tables: Tables) -> None:
    labels = Labels(models=("rnn", "lstm"), gradients=full_tables.labels.gradients, tasks=full_tables.labels.tasks)
    with pytest.raises(ValueError, match=r"lstm_peephole.*the config defines models rnn, lstm"):
        draw("accuracy_versus_lag", full_tables._replace(labels=labels))


def test_a_figure_names_the_tables_that_it_was_drawn_from(full_tables, tmp_path: Path) -> None:
    tables = [tmp_path / "summary.csv", tmp_path / "curves.csv"]
    for table in tables:
        table.write_text(table.name)
    source = describe_source(tables)
    digest = hashlib.sha256(b"curves.csv").hexdigest()[:16]
    assert source.startswith("Lagbench, drawn from summary.csv ")
    assert source.endswith(f", curves.csv {digest}")
    figure = draw("solved_versus_lag", full_tables)
    save(figure, tmp_path / "figure", source=source)
    for kind in ("svg", "png"):
        assert source.encode() in (tmp_path / f"figure.{kind}").read_bytes(), kind
    assert b"/Subject" in (tmp_path / "figure.pdf").read_bytes()
