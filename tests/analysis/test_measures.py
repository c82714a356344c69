"""What a claim measures, against numbers worked out by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from workflow.statistics.measures import add_options, format_label, list_seed_numbers, select_rows

CURVE = pd.DataFrame(
    [
        {"model": model, "task": "copy", "lag": 4, "flow": flow, "seed": seed, "u": u, "norm": start * factor**u}
        for model, start, factor in (("a", 2.0, 0.5), ("b", 3.0, 1.0))
        for flow in ("full", "cell")
        for seed in (0, 1)
        for u in (0, 1, 2, 4, 7)
    ]
)


def numbers(table: pd.DataFrame, measure: dict[str, Any], **others: Any) -> dict[tuple[str, ...], list[float]]:
    check = {"where": {"flow": "full"}, "statistic": "mean", "by": ["model"], "measure": measure, **others}
    return {key: list(value) for key, value in list_seed_numbers(table, check).items()}


@pytest.mark.parametrize(
    ("kind", "at", "a", "b"),
    [
        ("flatness", "lag", 1 - 0.5**4, 0),
        ("flatness", 7, 1 - 0.5**7, 0),
        ("retained", "lag", 0.5**4, 1),
        ("retained", 2, 0.5**2, 1),
        ("factor_per_step", "lag", 0.5, 1),
        ("factor_per_step", 6, 0.5, 1),  # the last row before it is u = 4
        ("peak", 4, 0.5**4, 1),
    ],
)
def test_measures_of_a_curve(kind, at, a, b):
    actual = numbers(CURVE, {"kind": kind, "column": "norm", "at": at})
    assert actual == {("a",): pytest.approx([a, a], rel=1e-12), ("b",): [b, b]}


def test_a_curve_without_its_end_has_no_number():
    measure = {"kind": "retained", "column": "norm", "at": 4}
    assert numbers(CURVE[CURVE["u"] > 0], measure) == {}
    assert numbers(CURVE.assign(norm=0.0), measure) == {}


def test_ratio_and_difference_are_to_the_same_seed_and_condition():
    table = CURVE[CURVE["u"] == 0].copy()
    table["norm"] = [10.0, 20.0, 1.0, 4.0, 7.0, 9.0, 7.0, 3.0]  # a full, a cell, b full, b cell; seeds 0, 1 each
    over = {"flow": "cell"}
    assert numbers(table, {"kind": "ratio", "column": "norm", "over": over}) == {("a",): [10, 5], ("b",): [1, 3]}
    assert numbers(table, {"kind": "difference", "column": "norm", "over": over}) == {("a",): [9, 16], ("b",): [0, 6]}


@pytest.mark.parametrize(("statistic", "of_seeds"), [("mean", [2, 5]), ("largest", [3, 9]), ("smallest", [1, 1])])
def test_the_conditions_of_a_seed_become_one_number(statistic, of_seeds):
    table = pd.DataFrame({"task": ["x", "y"] * 2, "seed": [0, 0, 1, 1], "flow": "full", "v": [1.0, 3.0, 1.0, 9.0]})
    actual = numbers(table, {"kind": "value", "column": "v"}, by=[], statistic=statistic)
    assert actual == {(): of_seeds}


def test_numbers_that_do_not_exist_do_not_count():
    table = pd.DataFrame({"seed": [0, 1], "flow": "full", "v": [1.0, np.nan]})
    assert numbers(table, {"kind": "value", "column": "v"}, by=[]) == {(): [1.0]}


def test_options_of_the_models_become_columns_and_labels():
    summary = pd.DataFrame(
        {
            "model": ["a", "b"],
            "cell": ["lstm", "rnn"],
            "model_options": ['{"forget_gate":false,"forget_bias":1}', '{"initialisation":"orthogonal"}'],
        }
    )
    table = add_options(CURVE, summary)
    assert set(select_rows(table, {"forget_gate": False})["model"]) == {"a"}
    assert set(select_rows(table, {"forget_bias": [1.0]})["model"]) == {"a"}
    assert set(select_rows(table, {"cell": ["rnn", "lstm"]})["model"]) == {"a", "b"}
    assert [format_label(value) for value in (True, np.False_, 1.0, 0.5, None, "x")] == [
        "yes",
        "no",
        "1",
        "0.5",
        "none",
        "x",
    ]


def test_a_column_that_is_missing_is_named():
    with pytest.raises(ValueError, match=r"no column nrom; its columns: model, task"):
        numbers(CURVE, {"kind": "value", "column": "nrom"})
