"""Whether a table that was made again agrees with the published one, value by value, and where it does not.

A derived table must come out byte for byte, or, as other versions of numpy or scipy may round otherwise, with every
number within 1e-9 of the published one (relative; below 1e-12 both are 0), and every count, flag and text equal.

Baselines and measurements are made by jobs, and for these holds what holds for runs: bit for bit on the same type of
CPU under the same versions and code. Elsewhere a baseline's accuracy is within four standard errors, as rounding
decides between guesses that are equally good; and of a measurement the rows of the networks as drawn, before they are
trained, are as published to one in the sixth of their six digits (shares and cosines to 1e-9 at least), while those of
trained networks are not compared.

Measured: numpy 2.1 with scipy 1.15, and other numbers of BLAS threads, move derived tables of numpy 2.4 with scipy 1.17
by at most a relative 1e-14; 12 000 numbers of networks as drawn were equal under other vector instructions.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from workflow.tables.columns import COUNTS, LABELS, MAYBE_COUNTS
from workflow.verification.agreement import ERRORS, Verdict, differing_surroundings, error_of_difference, number

Row = Mapping[str, str]
Rows = Sequence[Row]
Same = Callable[[str, str, str], bool]
"""Whether, in a column, the published value and the one that came out now are the same."""

RELATIVE, ABSOLUTE = 1e-9, 1e-12
OF_SIX_DIGITS = 1e-5
ABSOLUTE_OF = {"norm": 0.0, "norm_ratio": 0.0, "share": 1e-9, "cosine": 1e-9}  # of the numbers of measurements
INITIAL = "initial"


class Compared(NamedTuple):
    """The differences of two tables, told, and how many values are the same but not the same text."""

    differences: list[str]
    rewritten: int
    lacking: list[str]
    """The columns that only the table made now has."""


def compare_rows(published: Rows, made: Rows, *, key: Sequence[str], same: Same) -> Compared:
    """Compare two tables whose rows are named by the columns `key`, in the columns that the published one has."""
    columns, ours = (list(rows[0]) if rows else [] for rows in (published, made))
    unknown = [name for name in columns if name not in ours]
    nameless = [name for name in key if name not in columns]
    if (unknown or nameless) and published and made:
        says = [f"has a column {name} that is not made" for name in unknown]
        return Compared([*says, *(f"has no column {name}" for name in nameless)], 0, [])
    theirs = {tuple(row[name] for name in key): row for row in published}
    found = {tuple(row[name] for name in key): row for row in made}
    differences = [f"has the row ({_named(key, name)}) twice" for name in _twice(published, key)]
    differences += [f"has no row ({_named(key, name)})" for name in found if name not in theirs]
    differences += [f"has a row ({_named(key, name)}) that is not made" for name in theirs if name not in found]
    rewritten = 0
    for name in (name for name in theirs if name in found):
        for column in columns:
            before, now = theirs[name][column], found[name][column]
            if before != now and same(column, before, now):
                rewritten += 1
            elif before != now:
                where = f"in row ({_named(key, name)}), column {column}"
                differences.append(f"{where}: published {before or 'nothing'}, made again {now or 'nothing'}")
    return Compared(differences, rewritten, [name for name in ours if published and name not in columns])


def compare_table(published: Rows, made: Rows, *, key: Sequence[str]) -> Verdict:
    """Compare a derived table whose bytes are not those that were made again."""
    compared = compare_rows(published, made, key=key, same=is_close)
    if compared.differences:
        return differs(compared.differences)
    count = f"{compared.rewritten} number{'s are' if compared.rewritten != 1 else ' is'} written otherwise"
    says = f"equal within {RELATIVE:g} ({count})" if compared.rewritten else "equal"
    if compared.lacking:
        says += f", but older: it has no column {', '.join(compared.lacking)}"
    return Verdict(True, False, says)


def compare_baseline(published: Rows, made: Rows, *, key: Sequence[str], of: tuple[Row, Row], tests: int) -> Verdict:
    """Compare a row of baselines.csv; `of` are its provenance as made and here, `tests` its test sequences."""
    exact, because = _bit_for_bit({"baselines": (published, made)}, keys={"baselines": key}, of=of)
    if exact is not None:
        return exact
    accuracies = [number(row["guess_accuracy"]) or 0.0 for row in (*published, *made)]
    scores = [{"test_accuracy": str(accuracy), "test_sequences": str(tests)} for accuracy in accuracies]
    error = error_of_difference(*scores)

    def same(column: str, before: str, now: str) -> bool:
        if column == "guess_accuracy":
            return max(accuracies) - min(accuracies) <= ERRORS * error
        if column == "easy":  # follows from the accuracy
            return accuracies[0] != accuracies[-1]
        return column == "guess_loss" or is_close(column, before, now)

    compared = compare_rows(published, made, key=key, same=same)
    about = f"compared by tolerance, as {because}"
    if compared.differences:
        return differs(compared.differences, about=about)
    return Verdict(True, False, f"within tolerance, {about}")


def compare_measurement(
    tables: Mapping[str, tuple[Rows, Rows]], *, keys: Mapping[str, Sequence[str]], of: tuple[Row, Row]
) -> Verdict:
    """Compare a measurement in each published table: its rows as published and as they came out now."""
    exact, because = _bit_for_bit(tables, keys=keys, of=of)
    if exact is not None:
        return exact
    drawn = {
        name: tuple([row for row in rows if row["snapshot"] == INITIAL] for rows in tables[name]) for name in tables
    }

    def same(column: str, before: str, now: str) -> bool:
        x, y = number(before), number(now)
        if column not in ABSOLUTE_OF or x is None or y is None:
            return False
        return math.isclose(x, y, rel_tol=OF_SIX_DIGITS, abs_tol=ABSOLUTE_OF[column])

    differences, about = [], f"compared as drawn, before training, as {because}"
    for name, (published, made) in drawn.items():
        compared = compare_rows(published, made, key=keys[name], same=same)
        differences += [f"{name}.csv {text}" for text in compared.differences]
    count = sum(len(published) for published, _ in drawn.values())
    if differences:
        return differs(differences, about=about)
    return Verdict(True, False, f"within tolerance, {about} ({_rows(count)}); trained networks are not compared")


def differs(differences: Sequence[str], *, about: str = "") -> Verdict:
    """Return the verdict on a table that differs: the first difference, and how many more there are."""
    more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
    about = f", {about}:" if about else "" if differences[0].startswith("in ") else ":"
    return Verdict(False, False, f"DIFFERS{about} {differences[0]}{more}")


def is_close(column: str, before: str, now: str) -> bool:
    """Say whether two values are the same number, however written: counts exactly, others to nine digits."""
    if column in LABELS:
        return before == now
    x, y = number(before), number(now)
    if x is None or y is None:
        return before == now
    is_count = column in COUNTS or column in MAYBE_COUNTS
    return x == y if is_count else math.isclose(x, y, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _bit_for_bit(
    tables: Mapping[str, tuple[Rows, Rows]], *, keys: Mapping[str, Sequence[str]], of: tuple[Row, Row]
) -> tuple[Verdict | None, str]:
    """Return the verdict, or None and the reason where bits are not promised and not all came out."""
    differences = []
    for name, (published, made) in tables.items():
        compared = compare_rows(published, made, key=keys[name], same=lambda *_: False)
        differences += [f"{name}.csv {text}" for text in compared.differences]
    if not differences:
        counts = ", ".join(f"{_rows(len(published))} of {name}.csv" for name, (published, _) in tables.items())
        return Verdict(True, True, f"equal, bit for bit ({counts})"), ""
    why = differing_surroundings(*of)
    if not why:
        return differs(differences, about="CPU type, versions and code are the same"), ""
    return None, why[0]


def _twice(rows: Rows, key: Sequence[str]) -> list[tuple[str, ...]]:
    counts = Counter(tuple(row[name] for name in key) for row in rows)
    return [name for name, count in counts.items() if count > 1]


def _named(key: Sequence[str], values: Sequence[str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(key, values, strict=True))


def _rows(count: int) -> str:
    return f"{count} row{'s' if count != 1 else ''}"
