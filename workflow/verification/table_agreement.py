"""Whether a recomputed table agrees with the published one, value by value, and where it does not.

A derived table must be equal byte for byte, or, as other versions of numpy or scipy may round otherwise, with every
number within 1e-9 of the published one (relative; below 1e-12 both are 0), and every count, flag and text equal.

Baselines and measurements are written by jobs, and for these holds what holds for runs: bit for bit on the same type of
CPU under the same versions and code. Elsewhere a baseline's accuracy is within four standard errors, as rounding
decides between guesses that are equally good; and of a measurement the rows of the networks before they are trained
are as published to one in the sixth of their six digits (shares and cosines to 1e-9 at least), while those of trained
networks are not compared.

Measured: numpy 2.1 with scipy 1.15, and other numbers of BLAS threads, move derived tables of numpy 2.4 with scipy 1.17
by at most a relative 1e-14; 12 000 numbers of untrained networks were equal under other vector instructions.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from workflow.tables import baselines
from workflow.tables.schema.columns import Columns
from workflow.verification.agreement import (
    ERRORS,
    Verdict,
    estimate_standard_error,
    find_rounding_reasons,
    parse_number,
)

Row = Mapping[str, str]
Rows = Sequence[Row]
IsSame = Callable[[str, str, str], bool]
"""Whether, in a column, the published and the recomputed value are the same."""

RELATIVE, ABSOLUTE = 1e-9, 1e-12
SIX_DIGITS = 1e-5
ABSOLUTE_TOLERANCES = {"norm": 0.0, "norm_ratio": 0.0, "share": 1e-9, "cosine": 1e-9}  # of a measurement's numbers
INITIAL = "initial"


class Comparison(NamedTuple):
    """The differences of two tables in words, and how many values are the same but not the same text."""

    differences: list[str]
    rewritten: int
    new_columns: list[str]
    """The columns that only the recomputed table has."""


def compare_rows(published: Rows, recomputed: Rows, *, key: Sequence[str], is_same: IsSame) -> Comparison:
    """Compare two tables whose rows are named by the columns `key`, in the columns that the published one has."""
    columns, new_columns = (list(rows[0]) if rows else [] for rows in (published, recomputed))
    unknown = [f"has a column {name} that is not recomputed" for name in columns if name not in new_columns]
    unknown += [f"has no column {name}" for name in key if name not in columns]
    if unknown and published and recomputed:
        return Comparison(unknown, 0, [])
    before, now = ({tuple(row[name] for name in key): row for row in rows} for rows in (published, recomputed))
    counts = Counter(tuple(row[name] for name in key) for row in published)
    differences = [f"has the row ({_label(key, name)}) twice" for name, count in counts.items() if count > 1]
    differences += [f"has no row ({_label(key, name)})" for name in now if name not in before]
    differences += [f"has a row ({_label(key, name)}) that is not recomputed" for name in before if name not in now]
    rewritten = 0
    for name in (name for name in before if name in now):
        for column in (column for column in columns if before[name][column] != now[name][column]):
            old, new = before[name][column], now[name][column]
            if is_same(column, old, new):
                rewritten += 1
            else:
                place = f"in row ({_label(key, name)}), column {column}"
                differences.append(f"{place}: published {old or 'nothing'}, recomputed {new or 'nothing'}")
    return Comparison(differences, rewritten, [name for name in new_columns if published and name not in columns])


def compare_table(published: Rows, recomputed: Rows, *, key: Sequence[str], columns: Columns) -> Verdict:
    """Compare a derived table whose bytes are not those that were recomputed."""
    comparison = compare_rows(published, recomputed, key=key, is_same=partial(is_close, columns))
    if comparison.differences:
        return describe_differences(comparison.differences)
    count = f"{comparison.rewritten} number{'s are' if comparison.rewritten != 1 else ' is'} written otherwise"
    message = f"equal within {RELATIVE:g} ({count})" if comparison.rewritten else "equal"
    if comparison.new_columns:
        message += f", but older: it has no column {', '.join(comparison.new_columns)}"
    return Verdict(True, message == "equal", message)


def compare_baseline(
    published: Rows, recomputed: Rows, *, key: Sequence[str], provenances: tuple[Row, Row], tests: int
) -> Verdict:
    """Compare a row of baselines.csv, published and recomputed; `tests` is its number of test sequences."""
    tables = {"baselines": (published, recomputed)}
    exact, reason = _compare_bit_for_bit(tables, keys={"baselines": key}, provenances=provenances)
    if exact is not None:
        return exact
    accuracies = [parse_number(row["guess_accuracy"]) or 0.0 for row in (*published, *recomputed)]
    scores = [{"test_accuracy": str(accuracy), "test_sequences": str(tests)} for accuracy in accuracies]
    error = estimate_standard_error(*scores)

    def is_same(column: str, before: str, now: str) -> bool:
        if column == "guess_accuracy":
            return max(accuracies) - min(accuracies) <= ERRORS * error
        if column == "easy":  # follows from the accuracy
            return accuracies[0] != accuracies[-1]
        return column == "guess_loss" or is_close(baselines.COLUMNS, column, before, now)

    comparison = compare_rows(published, recomputed, key=key, is_same=is_same)
    rule = f"compared by tolerance, as {reason}"
    if comparison.differences:
        return describe_differences(comparison.differences, rule=rule)
    return Verdict(True, False, f"within tolerance, {rule}")


def compare_measurement(
    tables: Mapping[str, tuple[Rows, Rows]], *, keys: Mapping[str, Sequence[str]], provenances: tuple[Row, Row]
) -> Verdict:
    """Compare a measurement in each published table: its published and its recomputed rows."""
    exact, reason = _compare_bit_for_bit(tables, keys=keys, provenances=provenances)
    if exact is not None:
        return exact

    def is_same(column: str, before: str, now: str) -> bool:
        x, y = parse_number(before), parse_number(now)
        if column not in ABSOLUTE_TOLERANCES or x is None or y is None:
            return False
        return math.isclose(x, y, rel_tol=SIX_DIGITS, abs_tol=ABSOLUTE_TOLERANCES[column])

    differences, rule, count = [], f"compared before training, as {reason}", 0
    for name, pair in tables.items():
        published, recomputed = ([row for row in rows if row["snapshot"] == INITIAL] for rows in pair)
        comparison = compare_rows(published, recomputed, key=keys[name], is_same=is_same)
        differences += [f"{name}.csv {text}" for text in comparison.differences]
        count += len(published)
    if differences:
        return describe_differences(differences, rule=rule)
    return Verdict(True, False, f"within tolerance, {rule} ({_rows(count)}); trained networks are not compared")


def describe_differences(differences: Sequence[str], *, rule: str = "") -> Verdict:
    """Return the verdict on a table that differs: the first difference, and how many more there are."""
    more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
    colon = f", {rule}:" if rule else "" if differences[0].startswith("in ") else ":"
    return Verdict(False, False, f"DIFFERS{colon} {differences[0]}{more}")


def is_close(columns: Columns, column: str, before: str, now: str) -> bool:
    """Return whether two values of a column are the same number: counts exactly, others to nine digits."""
    dtype = columns[column].dtype if column in columns else "float64"
    x, y = parse_number(before), parse_number(now)
    if dtype == "str" or x is None or y is None:
        return before == now
    return math.isclose(x, y, rel_tol=RELATIVE, abs_tol=ABSOLUTE) if dtype == "float64" else x == y


def _compare_bit_for_bit(
    tables: Mapping[str, tuple[Rows, Rows]], *, keys: Mapping[str, Sequence[str]], provenances: tuple[Row, Row]
) -> tuple[Verdict | None, str]:
    """Return the verdict, or None and the reason where bits are not promised and not all are equal."""
    differences = []
    for name, (published, recomputed) in tables.items():
        comparison = compare_rows(published, recomputed, key=keys[name], is_same=lambda *_: False)
        differences += [f"{name}.csv {text}" for text in comparison.differences]
    if not differences:
        counts = ", ".join(f"{_rows(len(published))} of {name}.csv" for name, (published, _) in tables.items())
        return Verdict(True, True, f"equal, bit for bit ({counts})"), ""
    reasons = find_rounding_reasons(*provenances)
    if not reasons:
        return describe_differences(differences, rule="CPU type, versions and code are the same"), ""
    return None, reasons[0]


def _label(key: Sequence[str], values: Sequence[str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(key, values, strict=True))


def _rows(count: int) -> str:
    return f"{count} row{'s' if count != 1 else ''}"
