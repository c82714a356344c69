"""The published numbers beside ours: the verdict against simulated papers, the table, and its figure."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.analysis.conftest import LABELS, make_run, make_settings
from tests.analysis.readable import assert_readable
from tests.analysis.tables import compute, compute_of, select_lags
from workflow.figures.published import draw
from workflow.figures.style.look import Labels, Tables
from workflow.statistics.replicas import choose_learning_rate
from workflow.tables.published import COLUMNS, judge_mean
from workflow.tables.schema.columns import CONTROLS
from workflow.tables.schema.csv_files import read_csv, write_csv

ALL = np.ones(4, dtype=bool)
NUMBER = {"task": "adding", "lag": 25, "model": "lstm", "learning_rate": 0.5, "sequences": 1100, "wrong": 1}
NUMBER |= {"table": "Table 7", "experiment": "adding", "trials": 9, "weights": 93, "notes": "a note, with a comma"}


def test_the_interval_is_student_s_for_a_difference_of_two_means() -> None:
    """Times 8, 10, 12, 14: mean 11, variance 20/3; t(0.975; 3) = 3.182446."""
    predicted, verdict = judge_mean(15.0, times=np.array([8.0, 10, 12, 14]), reached=ALL, trials=6)
    half = 3.182446305 * np.sqrt(20 / 3) * np.sqrt(1 / 6 + 1 / 4)
    np.testing.assert_allclose(predicted, (11 - half, 11 + half), rtol=1e-8, atol=0)
    assert verdict == "inside"
    assert judge_mean(11 + 1.001 * half, times=np.array([8.0, 10, 12, 14]), reached=ALL, trials=6)[1] == "outside"
    assert judge_mean(11 - 0.999 * half, times=np.array([8.0, 10, 12, 14]), reached=ALL, trials=6)[1] == "inside"
    assert judge_mean(5.0, times=np.array([1.0, 10]), reached=ALL[:2], trials=2)[0].low == 0


@pytest.mark.parametrize("reached", [[True, True, True, False], [False] * 4])
def test_a_seed_that_did_not_solve_leaves_no_mean_to_judge(reached: list[bool]) -> None:
    predicted, verdict = judge_mean(10.0, times=np.full(4, 10.0), reached=np.array(reached), trials=6)
    assert verdict == "censored"
    assert np.isnan(predicted).all()
    assert judge_mean(10.0, times=np.full(1, 10.0), reached=ALL[:1], trials=6)[1] == "censored"


@pytest.mark.parametrize(("sigma", "least", "most"), [(0.01, 0.94, 0.96), (0.5, 0.92, 0.97)])
@pytest.mark.parametrize(("trials", "seeds"), [(10, 10), (20, 20), (20, 5)])
def test_papers_of_the_same_distribution_are_inside_in_95_percent(
    sigma: float, least: float, most: float, trials: int, seeds: int
) -> None:
    """Lognormal times: nearly normal, and with the skew that times to solve have."""
    rng = np.random.default_rng(0)
    papers = rng.lognormal(0, sigma, (4000, trials)).mean(axis=1)
    ours = rng.lognormal(0, sigma, (4000, seeds))
    reached = np.ones(seeds, dtype=bool)
    inside = [
        judge_mean(paper, times=times, reached=reached, trials=trials)[1] == "inside"
        for paper, times in zip(papers, ours, strict=True)
    ]
    assert least - 0.01 < np.mean(inside) < most + 0.01


def compare(summary: pd.DataFrame, published: list[dict[str, Any]]) -> pd.DataFrame:
    return compute("published", summary=summary, experiment=SimpleNamespace(config={"published": published}))


def online_run(times: Sequence[int | None], *, gradient: str = "full", rate: float = 0.5) -> dict[str, Any]:
    """Make the record of an online run in which seed k stopped at times[k], or never within 2000 sequences."""
    settings = make_settings(
        task="adding", lag=25, model="lstm", gradient=gradient, seeds=range(len(times)), rates=[rate]
    )
    settings["training"] |= {"protocol": "online", "batch_size": 1, "clip_norm": None}
    settings["task"]["sequences"] = 2000
    run = make_run(settings)
    run["kernel"], run["curves"] = "online", []
    for replica, time in zip(run["replicas"], times, strict=True):
        replica |= {"updates": time or 2000, "best_update": time or 2000, "updates_to_solve": time}
        replica |= {"solved": time is not None, "sequences_to_streak": time, "parameters": 93}
        replica |= {"sequences_to_error": None if time is None else time - 100, "test_accuracy": 1 - 2 / 2560}
        replica |= {f"validation_{name}": None for name in ("loss", "accuracy", "exact_match")}
    return run


def test_a_row_holds_both_numbers_and_what_became_of_the_seeds(tmp_path: Path) -> None:
    summary = compute_of(
        "summary", [online_run([900, 1000, 1100, 1200]), online_run([900, None, 700], gradient="truncated_1997")]
    )
    table = compare(summary, [NUMBER])
    assert list(table.columns) == [name for name in COLUMNS if name not in CONTROLS]
    write_csv(table, tmp_path / "published.csv")
    pd.testing.assert_frame_equal(read_csv(tmp_path / "published.csv"), table)
    full, truncated = table.to_dict("records")
    assert (full["gradient"], truncated["gradient"]) == ("full", "truncated_1997")
    assert (full["sequences_mean"], full["sequences_median"], full["error_median"]) == (1050, 1000, 900)
    assert 900 <= full["sequences_low"] < 1050 < full["sequences_high"] <= 1200
    assert (full["verdict"], full["solved"], full["wrong"], full["paper_wrong"]) == ("inside", 4, 2, 1)
    assert full["weights_agree"]
    assert (truncated["verdict"], truncated["solved"], truncated["sequences_median"]) == ("censored", 2, 900)
    assert np.isnan(truncated["sequences_mean"])
    assert truncated["solved_low"] < 2 / 3 < truncated["solved_high"]
    assert full["notes"] == "a note, with a comma"


def test_a_number_too_far_is_outside_and_other_weights_are_noticed() -> None:
    summary = compute_of("summary", [online_run([900, 1000, 1100, 1200])])
    row = compare(summary, [NUMBER | {"sequences": 3000, "weights": 94}]).iloc[0]
    assert row["verdict"] == "outside"
    assert not row["weights_agree"]


def test_only_the_condition_that_a_number_is_of_stands_beside_it() -> None:
    later, larger = online_run([5, 6]), online_run([7, 8])
    later["settings"]["task"]["lag"] = 26
    larger["settings"]["model"]["name"] = "lstm_peephole"
    table = compare(compute_of("summary", [online_run([900, 1000]), later, larger]), [NUMBER | {"wrong": None}])
    assert len(table) == 1
    assert table["sequences_mean"].item() == 950
    assert table["paper_wrong"].isna().all()


def test_the_statistics_do_without_validation() -> None:
    """The rate that solves most seeds, and of two such the one that is faster."""
    runs = [online_run([900, 1000], rate=0.5), online_run([800, 900], rate=1.0), online_run([10, None], rate=2.0)]
    summary = compute_of("summary", runs)
    assert choose_learning_rate(summary) == 1.0
    assert compute("statistics", summary=summary)["updates_to_solve_median"].item() == 800


@pytest.mark.parametrize("times", [[900, 1000, 1100, 1200], [900, None, 1100], [None, None]], ids=str)
@pytest.mark.parametrize(("numbers", "easy"), [(1, True), (8, None), (8, False)])
def test_the_figure_is_readable(times: list[int | None], numbers: int, easy: bool | None) -> None:
    runs = [online_run(times), online_run([500, 600], gradient="truncated_1997"), online_run([300, 700], rate=1.0)]
    runs[2]["settings"]["gradient"]["name"] = "tbptt"
    summary = compute_of("summary", runs)
    published = [
        NUMBER | {"experiment": f"a longer name of experiment {k}", "sequences": 900 + 5 * k} for k in range(numbers)
    ]
    table = compare(summary, published).assign(easy=easy)
    needs = {"published": table if easy is not None else table.drop(columns="easy")}
    figure = draw(
        Tables(
            summary,
            compute("statistics", summary=summary),
            select_lags(compute_of("curves", runs)),
            Labels(*LABELS),
            needs=needs,
        )
    )
    assert_readable(figure)
    named = [text.get_text() for text in figure.axes[0].texts if "experiment" in text.get_text()]
    assert [name.endswith("*") for name in named] == [bool(easy)] * numbers
    assert figure.get_size_inches()[0] <= 3.4
