"""Tables that are recomputed: in which row and column they differ, and how far numbers may be apart."""

import pandas as pd
import pytest

from workflow.tables.schema.columns import count, text
from workflow.tables.schema.computing import load_table
from workflow.verification import comparison
from workflow.verification.agreement import compare_baseline, compare_measurement
from workflow.verification.comparison import Verdict

Rows = list[dict[str, str]]
KEY = ("task", "lag")
COLUMNS = {"seeds": count("how many"), "task": text("label"), "lag": count("steps")}
PUBLISHED = {"versions.torch": "2.13.0", "processor": "AMD EPYC", "sources": "aa"}
ELSEWHERE = PUBLISHED | {"versions.torch": "2.14.0"}


def compare_table(published: Rows, recomputed: Rows) -> Verdict:
    tables = (pd.DataFrame(rows, columns=list((rows or ROWS)[0])) for rows in (published, recomputed))
    return comparison.compare_table(*tables, key=KEY, columns=COLUMNS)


def row(**values: object) -> dict[str, str]:
    base: dict[str, object] = {"task": "adding", "lag": 5, "seeds": 5, "easy": False, "accuracy": 0.1, "p": ""}
    return {name: str(value) for name, value in (base | values).items()}


ROWS = [row(), row(lag=10, accuracy=0.25, p=1e-20)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accuracy": "0.1000000002"}, "published 0.1000000002, recomputed 0.1"),
        ({"accuracy": ""}, "published nothing, recomputed 0.1"),
        ({"accuracy": "nan"}, "published nan, recomputed 0.1"),
        ({"seeds": "5.000000000001"}, "published 5.000000000001, recomputed 5"),
        ({"easy": "True"}, "published True, recomputed False"),
        ({"p": "1e-11"}, "published 1e-11, recomputed nothing"),
    ],
)
def test_a_changed_value_is_reported_with_row_and_column(change, message):
    ((column, _),) = change.items()
    verdict = compare_table([row(**change), ROWS[1]], ROWS)
    assert verdict == Verdict(False, False, f"DIFFERS in row (task adding, lag 5), column {column}: {message}")


@pytest.mark.parametrize("change", [{"accuracy": "0.10000000001"}, {"seeds": "5.0"}, {"accuracy": "1e-1"}])
def test_the_same_number_may_be_written_and_rounded_otherwise(change):
    verdict = compare_table([row(**change), ROWS[1]], ROWS)
    assert verdict == Verdict(True, False, "equal within 1e-09 (1 number is written otherwise)")


def test_what_is_zero_but_for_rounding_is_zero():
    assert compare_table([ROWS[0], row(lag=10, accuracy=0.25, p=-3e-18)], ROWS).agrees
    assert not compare_table([ROWS[0], row(lag=10, accuracy=0.25, p=2e-12)], ROWS).agrees


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[:1], "DIFFERS: has no row (task adding, lag 10)"),
        ([], "DIFFERS: has no row (task adding, lag 5) (and 1 more)"),
        ([*ROWS, row(lag=20)], "DIFFERS: has a row (task adding, lag 20) that is not recomputed"),
        ([*ROWS, ROWS[0]], "DIFFERS: has the row (task adding, lag 5) twice"),
        ([line | {"x": "1"} for line in ROWS], "DIFFERS: has a column x that is not recomputed"),
        ([{"task": line["task"]} for line in ROWS], "DIFFERS: has no column lag"),
    ],
)
def test_rows_and_columns_that_do_not_belong_are_reported(rows, message):
    assert compare_table(rows, ROWS) == Verdict(False, False, message)


def test_an_older_table_with_a_column_less_agrees_and_is_reported_in_one_line():
    older = [{name: value for name, value in line.items() if name != "easy"} for line in ROWS]
    assert compare_table(older, ROWS) == Verdict(True, False, "equal, but older: it has no column easy")
    assert not compare_table([older[0] | {"accuracy": "0.5"}, older[1]], ROWS).agrees


def guess(**values: object) -> dict[str, str]:
    base: dict[str, object] = {
        "device": "cpu",
        "task": "x",
        "lag": 5,
        "model": "lstm",
        "guesses": 1000,
        "guess_accuracy": 0.25,
        "guess_loss": 1.5,
    }
    return {name: str(value) for name, value in (base | {"constant_loss": 0.7, "easy": False} | values).items()}


def baseline(here: dict[str, str], **values: object) -> Verdict:
    pair = pd.DataFrame([guess(**values)]), pd.DataFrame([guess()])
    return compare_baseline({"baselines": pair}, provenances=(PUBLISHED, here), tests=2560)


def test_a_baseline_is_equal_bit_for_bit_where_bits_are_promised():
    assert baseline(PUBLISHED) == Verdict(True, True, "equal, bit for bit (1 row of baselines.csv)")
    assert baseline(PUBLISHED, guess_loss=1.5000000000000002).message == (
        "DIFFERS, CPU type, versions and code are the same: baselines.csv in row "
        "(device cpu, task x, lag 5, model lstm), column guess_loss: published 1.5000000000000002, recomputed 1.5"
    )


@pytest.mark.parametrize(
    ("change", "agrees"),
    [
        ({"guess_accuracy": 0.29, "guess_loss": 1.4}, True),  # four standard errors are 0.049
        ({"guess_accuracy": 0.31}, False),
        ({"guess_accuracy": ""}, False),
        ({"constant_loss": 0.71}, False),
        ({"guesses": 1001}, False),
        ({"easy": True}, False),
        ({"guess_accuracy": 0.29, "easy": True}, True),
    ],
)
def test_elsewhere_a_baseline_is_compared_by_tolerance(change, agrees):
    verdict = baseline(ELSEWHERE, **change)
    assert verdict.agrees == agrees, verdict.message
    assert "compared by tolerance, as torch was 2.13.0 and is 2.14.0" in verdict.message


def test_a_norm_that_is_tiny_is_compared_by_its_digits_too():
    pair = norms(initial="1.1e-30"), norms(initial="1e-30")
    verdict = compare_measurement({"path_shares": pair}, provenances=(PUBLISHED, ELSEWHERE))
    assert "column norm: published 1.1e-30, recomputed 1e-30" in verdict.message


def norms(**norm: object) -> pd.DataFrame:
    key = dict.fromkeys(load_table("path_shares").KEY, "0")
    return pd.DataFrame([key | {"snapshot": snapshot, "norm": str(value)} for snapshot, value in norm.items()])


@pytest.mark.parametrize(
    ("here", "norm", "agrees", "message"),
    [
        (PUBLISHED, {"initial": 0.5, "solved": 2.5}, True, "equal, bit for bit (2 rows of path_shares.csv)"),
        (PUBLISHED, {"initial": 0.5, "solved": 2.50001}, False, "column norm: published 2.50001, recomputed 2.5"),
        (ELSEWHERE, {"initial": 0.500001, "solved": 9.0}, True, "(1 row); trained networks are not compared"),
        (ELSEWHERE, {"initial": 0.50001, "solved": 2.5}, False, "column norm: published 0.50001, recomputed 0.5"),
    ],
)
def test_elsewhere_a_measurement_is_compared_before_training(here, norm, agrees, message):
    rows = norms(**norm), norms(initial=0.5, solved=2.5)
    verdict = compare_measurement({"path_shares": rows}, provenances=(PUBLISHED, here))
    assert verdict.agrees == agrees
    assert message in verdict.message
    assert ("compared before training, as torch was" in verdict.message) == (here is ELSEWHERE)
