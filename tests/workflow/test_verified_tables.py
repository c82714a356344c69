"""Derived tables are recomputed: a changed number is detected in every table."""

import csv
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from workflow.experiment.declarations import load_registry
from workflow.experiment.source_tree import SourceTree
from workflow.tables.schema.computing import load_table
from workflow.verification.comparison import Verdict, read_table
from workflow.verification.publication import Publication, read_publication
from workflow.verification.recomputation import verify_tables
from workflow.verification.tables import check_tables

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results/reference"
DERIVED = {  # of each table a column, and the beginning of the name of its first row
    "hochreiter1997": {
        "statistics": ("accuracy", "device cpu, task adding_1997, lag 50, model net_adding, gradient full"),
        "comparisons": ("p", "device cpu, task adding_1997, a_model net_adding, a_gradient full, b_model net_adding"),
        "published": ("seeds", "table Table 9, experiment temporal order 6a, device cpu, task order_6a, lag 40"),
    },
    "gradients": {
        "statistics": ("solved_low", "device cpu, task adding, lag 10, model lstm, gradient full"),
        "comparisons": ("low", "device cpu, task adding, a_model lstm, a_gradient full, b_model lstm"),
        "truncation_cost": ("full", "device cpu, task adding, lags 10, model lstm, measure test_accuracy"),
        "findings": ("seeds", "claim 1, check 1, group forget_gate = no, flow = full"),
    },
    "odyssey": {
        "statistics": ("learning_rate", "device cpu, task adding, lag 15, model CIFG.h12, gradient full"),
        "odyssey": ("best_high", "device cpu, task adding, lag 15, variant vanilla, gradient full"),
        "odyssey_importance": ("rest_share", "device cpu, task adding, lag 15, variant vanilla, gradient full"),
    },
    "horizon": {
        "statistics": ("horizon_low", "device cpu, task adding, lag 5, model lstm, gradient full"),
        "comparisons": ("p_holm", "device cpu, task adding, a_model lstm, a_gradient full, b_model lstm"),
        "surface": ("excess_loss", "device cpu, task adding, lag 5, model lstm, gradient full"),
    },
}
LEFT_OUT = "; 2 checks left out, for gradients/gradient_versus_lag is not published"
SMALL = "hochreiter1997"
LONGER = [pytest.param(name, marks=pytest.mark.slow) for name in ("gradients", "odyssey", "horizon")]


def published(folder: Path, name: str) -> Path:
    """Copy the published tables of an experiment below a folder, and return theirs."""
    target = folder / "reference" / name
    target.mkdir(parents=True)
    for path in [*(REFERENCE / name).glob("*.csv"), REFERENCE / name / "config.yaml"]:
        shutil.copyfile(path, target / path.name)
    return target


@cache
def read(name: str) -> Publication:
    return read_publication(REFERENCE / name / "config.yaml", root=ROOT)


def verdicts(folder: Path) -> dict[str, Verdict | None]:
    return dict(check_tables(read(folder.name)._replace(folder=folder)))


def edit(path: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> None:
    """Rewrite a table, its header the first of the rows."""
    with path.open(newline="") as file:
        rows = change(list(csv.reader(file)))
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def changed(column: str) -> Callable[[list[list[str]]], list[list[str]]]:
    """Change a number in the first row in its seventh digit, or a count by one."""

    def change(rows: list[list[str]]) -> list[list[str]]:
        place = rows[0].index(column)
        value = rows[1][place]
        rows[1][place] = str(int(value) + 1) if value.isdigit() else str(float(value) * (1 + 1e-6))
        return rows

    return change


def without(column: str) -> Callable[[list[list[str]]], list[list[str]]]:
    def change(rows: list[list[str]]) -> list[list[str]]:
        place = rows[0].index(column)
        return [row[:place] + row[place + 1 :] for row in rows]

    return change


def test_published_tables_come_out_byte_for_byte_and_one_that_is_missing_is_no_error(tmp_path, capsys):
    folder = published(tmp_path, SMALL)
    (folder / "comparisons.csv").unlink()
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert all(verdict.exact for verdict in verify_tables(read(SMALL)._replace(folder=folder)).values())
    assert capsys.readouterr().out.splitlines() == [
        "verify: comparisons.csv: not published",
        "verify: published.csv: equal, byte for byte",
        "verify: statistics.csv: equal, byte for byte",
        "verify: 2 of 2 derived tables agree",
    ]
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", [SMALL, *LONGER])
def test_a_changed_number_is_detected_in_every_table_and_nothing_else_is(name, tmp_path):
    folder = published(tmp_path, name)
    for table, (column, _) in DERIVED[name].items():
        edit(folder / f"{table}.csv", changed(column))
    results = verdicts(folder)
    assert results.keys() == DERIVED[name].keys()
    for table, (column, row) in DERIVED[name].items():
        assert not results[table].agrees
        assert results[table].message.startswith(f"DIFFERS in row ({row}"), results[table].message
        assert f"), column {column}: published " in results[table].message
        assert "more)" not in results[table].message
        assert results[table].message.endswith(LEFT_OUT if table == "findings" else "")


def test_every_table_that_is_published_is_covered():
    files = load_registry(SourceTree(ROOT)).tables
    for folder in (path.parent for path in REFERENCE.glob("*/provenance.csv")):
        tables = {path.stem for path in folder.glob("*.csv")}
        assert tables <= {*files, "findings"}, folder
        for name in tables:
            key, rows = load_table(name).KEY, read_table(folder / f"{name}.csv")
            assert not rows.duplicated(list(key)).any(), (
                f"{folder}: the columns that name a row of {name} do not distinguish them"
            )


def test_a_number_of_a_replica_or_a_baseline_is_detected_in_what_is_derived_from_it(tmp_path):
    folder = published(tmp_path, SMALL)
    edit(folder / "baselines.csv", changed("guess_accuracy"))
    results = verdicts(folder)
    assert "column guess_accuracy: published 0.1171875, recomputed 0.11718761" in results["statistics"].message
    assert results["comparisons"] == Verdict(True, True, "equal, byte for byte")
    (folder / "baselines.csv").unlink()
    message = "CANNOT BE COMPUTED: it is computed from baselines.csv: it is not published"
    assert verdicts(folder)["statistics"] == Verdict(False, False, message)


@pytest.mark.parametrize(
    ("name", "change", "agrees", "message"),
    [
        ("statistics", without("horizon_censored"), True, "equal, but older: it has no column horizon_censored"),
        ("summary", without("sequences_to_error"), False, "summary.csv has no column sequences_to_error"),
        (
            "statistics",
            lambda rows: [["x"], *rows[1:]],
            False,
            "DIFFERS: has a column x that is not recomputed (and 5 more)",
        ),
        ("baselines", lambda rows: rows[:-1], False, "no baseline of device cpu, task "),
        ("summary", lambda rows: [rows[0], ["cpu", "x", "no lag", *rows[1][3:]], *rows[2:]], False, "no lag"),
    ],
)
def test_what_another_version_or_hand_wrote_gets_one_clear_line(name, change, agrees, message, tmp_path):
    folder = published(tmp_path, SMALL)
    edit(folder / f"{name}.csv", change)
    results = [verdict for verdict in verdicts(folder).values() if verdict]
    assert all(verdict.agrees for verdict in results) == agrees
    assert any(message in verdict.message for verdict in results), results
    assert not any("\n" in verdict.message for verdict in results)
