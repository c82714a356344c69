"""The figures of a random search, drawn from made-up ones of every shape and looked at by machine."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tests.analysis.readable import assert_readable, texts_of
from tests.analysis.searched import make_summary, search_of
from tests.analysis.tables import compute, searching, select_lags
from workflow.figures.style.look import Labels, Tables, save
from workflow.tables.odyssey_importance import SHARES

NAMES = ("odyssey_variants", "odyssey_importance")
TEN = ("vanilla", "NIG", "NFG", "NOG", "NIAF", "NOAF", "CIFG", "NP", "FGR", "gru_reset_before")
SHAPES = {
    "ten variants": {"variants": TEN, "tasks": ["adding", "copy", "temporal_order"]},
    "one panel": {"tasks": ["copy"]},
    "the reference alone": {"variants": ["vanilla"], "tasks": ["copy"]},
    "two lags and gradients": {"lags": [15, 400], "gradients": ["full", "tbptt"], "sizes": (10, 14), "seeds": [0]},
}


def accuracy(variant: str, u: float, v: float, seed: int) -> float:
    return float(np.clip(0.6 + 0.3 * u + 0.1 * v * len(variant) / 4 + 0.02 * np.sin(900 * u + seed), 0, 1))


def tables_of(**shape: object) -> Tables:
    summary = make_summary(accuracy, **({"variants": ["vanilla", "nfg"]} | shape))  # type: ignore[arg-type]
    variants = list(dict.fromkeys(model.partition(".")[0] for model in summary["model"]))
    search = search_of(variants, sizes=sorted(set(summary["hidden_size"])))
    labels = Labels((*variants, *search["variants"]), ("full", "tbptt"), ("adding", "copy", "temporal_order"))
    odyssey = compute("odyssey", summary=summary, experiment=searching(search))
    if len(variants) > 2:  # with baselines and without
        odyssey = odyssey.assign(guess_accuracy=0.2, easy=odyssey["task"] == "copy")
    needs = {
        "odyssey": odyssey,
        "odyssey_importance": compute("odyssey_importance", summary=summary, experiment=searching(search)),
    }
    return Tables(summary, pd.DataFrame(), select_lags(pd.DataFrame()), labels, needs)


def draw(name: str, tables: Tables) -> Figure:
    return importlib.import_module(f"workflow.figures.{name}").draw(tables)


@pytest.fixture(scope="module", params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Tables:
    return tables_of(**SHAPES[request.param])


@pytest.mark.parametrize("name", NAMES)
def test_figure_is_readable_and_names_all_variants(name: str, shape: Tables) -> None:
    figure = draw(name, shape)
    assert_readable(figure)
    texts = [text for text, _ in texts_of(figure)]
    table = shape.needs["odyssey"]
    assert set(table["variant"]) <= set(texts)
    assert len(figure.axes) == len(table[["task", "lag", "gradient"]].drop_duplicates())
    assert any(f"n = {table['trials'].iloc[0]} trials" in text.replace("\n", " ") for text in texts)


def test_best_tenths_stand_in_their_rows_filled_where_they_differ() -> None:
    tables = tables_of(variants=TEN[:4], tasks=["copy"])
    table = tables.needs["odyssey"].set_index("variant")
    (axes,) = draw("odyssey_variants", tables).axes
    rows = {label.get_text(): place for label, place in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    for variant in TEN[:4]:
        (point,) = [
            item for item in axes.get_lines() if item.get_marker() == "o" and item.get_ydata()[0] == rows[variant]
        ]
        assert point.get_xdata()[0] == table.loc[variant, "best_accuracy"]
        differs = table.loc[variant, "best_p_holm"] < 0.05
        assert (point.get_markerfacecolor() != "white") == differs
    lines = [line.get_xdata()[0] for line in axes.get_lines() if list(line.get_ydata()) == [0, 1]]
    assert sorted(lines) == [0.1, table.loc["vanilla", "best_accuracy"]]


def test_a_star_marks_the_panels_that_guessing_solves() -> None:
    figure = draw("odyssey_variants", tables_of(**SHAPES["ten variants"]))
    titles = [axes.get_title() for axes in figure.axes]
    assert [title.endswith("*") for title in titles] == [title.startswith("copy") for title in titles]


def test_all_trials_are_drawn() -> None:
    tables = tables_of(tasks=["copy"])
    (axes,) = draw("odyssey_variants", tables).axes
    sampled = np.concatenate([item.get_xdata() for item in axes.get_lines() if item.get_marker() == "."])
    np.testing.assert_array_equal(np.sort(sampled), np.sort(tables.summary["test_accuracy"]))


def test_bars_have_the_lengths_of_the_table_and_fill_the_row() -> None:
    tables = tables_of(tasks=["copy"])
    (axes,) = draw("odyssey_importance", tables).axes
    legend = {text.get_text(): to_hex(line.get_color()) for item in axes.figure.legends
              for text, line in zip(item.get_texts(), item.get_lines(), strict=True)}  # fmt: skip
    bars = sorted((bar for bar in axes.patches if isinstance(bar, Rectangle)), key=lambda bar: -bar.get_y())
    for share in SHARES:
        colour = legend[share.removesuffix("_share").replace("_", " ")]
        lengths = [bar.get_width() for bar in bars if to_hex(bar.get_facecolor()) == colour]
        np.testing.assert_allclose(lengths, tables.needs["odyssey_importance"][share], rtol=1e-9, atol=0)
    assert sum(bar.get_width() for bar in bars) == pytest.approx(2)


@pytest.mark.parametrize("name", NAMES)
def test_files_reproduce_byte_for_byte(name: str, tmp_path: Path) -> None:
    tables = tables_of(tasks=["copy"])
    shuffled = tables._replace(
        summary=tables.summary.sample(frac=1, random_state=1),
        needs={key: table.sample(frac=1, random_state=2) for key, table in tables.needs.items()},
    )
    save(draw(name, tables), tmp_path / "first" / name)
    save(draw(name, shuffled), tmp_path / "second" / name)
    for kind in ("pdf", "svg", "png"):
        first, second = ((tmp_path / folder / f"{name}.{kind}").read_bytes() for folder in ("first", "second"))
        assert first == second
