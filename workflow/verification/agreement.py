"""Whether a job that was computed again agrees with what is published: bit for bit, or within a stated tolerance.

On the same type of CPU, under the same versions and code, every value must come out as it is written: that is what the
suite promises. Elsewhere sums are rounded otherwise, training amplifies that, and after some hundred updates two
trainings of one replica share only what they are trained on. Then the rule is:

1. What no rounding can change (protocol, sizes, chance, floor) must be equal, numbers to nine digits.
2. A replica agrees if it is solved and diverged as published and its test accuracy is as published to within four
   standard errors of the difference of two accuracies on so many sequences. One that missed the criterion by less than
   four standard errors of a validation accuracy is on the border: solved or not, it agrees. Of two that are solved it
   is enough that both reach the criterion, less four standard errors, on test data: training stopped there.
3. At most two in five replicas, but always one, may stray: one that learns late or unsteadily takes another turn.
4. Those that agree must not lean to one side: t-test of their differences, p >= 0.001, or less than a standard error.

Losses and times are free to differ. Where half of the replicas come out bit for bit, this machine evidently rounds as
the publishing one did, and all must, at least to nine digits. Ten conditions of config/default.yaml, trained with the
fused and with the reference kernel, which differ in rounding alone, set rule 3: in one, an RNN, 5 of 15 replicas
strayed, else at most 3.

Of a baseline the accuracy is within four standard errors, as rounding decides between guesses that are equally good;
of a measurement the rows of the networks before they are trained are as published to one in the sixth of their six
digits (shares and cosines to 1e-9 at least), while those of trained networks are not compared: 12 000 numbers of
untrained networks were equal under other vector instructions.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from workflow.tables import baselines
from workflow.tables.schema.computing import load_table
from workflow.verification.comparison import (
    Difference,
    Row,
    Verdict,
    compare_texts,
    describe_differences,
    format_count,
    is_close,
    name_rows,
)

REPLICA = ("seed", "learning_rate")  # what names a row within a run
TRAINED = {"updates", "sequences", "updates_to_solve", "solved", "diverged", "best_update", "sequences_to_error"}
TRAINED |= {f"{data}_{score}" for data in ("validation", "test") for score in ("loss", "accuracy", "exact_match")}
TRAINED |= {"sequences_to_streak"}
OPTIONS = {"task_options", "model_options", "optimiser"}
DECIDING = ("processor_type", "processor", "compiled_for", "gpu", "kernel", "sources")  # how sums are rounded
ERRORS = 4  # standard errors
STRAYS = 0.4  # of the replicas
LEAN = 0.001
SIX_DIGITS = 1e-5
ABSOLUTE_TOLERANCES = {"norm": 0.0, "norm_ratio": 0.0, "share": 1e-9, "cosine": 1e-9}  # of a measurement's numbers
SAME = "CPU type, versions and code are the same"
Pairs = Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]
"""By table the published and the recomputed rows of a job, every value a text."""
Provenances = tuple[Row, Row]
"""The published and the recomputed one."""


def compare_run(pairs: Pairs, *, provenances: Provenances) -> Verdict:
    """Compare the replicas of a run."""
    published, recomputed = pairs["summary"]
    unmatched, differences = compare_texts(published, recomputed, key=REPLICA)
    fixed = [value for value in differences if value.column not in TRAINED and not _is_same(value)]
    for text in [*(f"summary.csv {text}" for text in unmatched), *map(_describe, fixed)]:
        return Verdict(False, False, f"DIFFERS: {text}")
    differences = [value for value in differences if value.column not in OPTIONS]
    unequal, replicas = {value.row for value in differences}, format_count(len(published), "replica")
    if not unequal:
        return Verdict(True, True, f"equal, bit for bit ({replicas})")
    reasons = find_rounding_reasons(*provenances)
    if not reasons or (2 * len(unequal) <= len(published) and not all(map(_is_same, differences))):
        same = "the others are equal bit for bit" if reasons else SAME
        return Verdict(False, False, f"DIFFERS in {len(unequal)} of {replicas}, {same}: {_describe(differences[0])}")
    before = name_rows(published, REPLICA)
    now = name_rows(recomputed, REPLICA).loc[before.index]
    columns = _find_stray_columns(before, now)
    strays, agreeing = [value for value in differences if value.column == columns[value.row]], columns == ""
    rule, allowed = f"compared by tolerance, as {reasons[0]}", max(1, int(len(published) * STRAYS))
    count = f"{agreeing.sum()} of {replicas} agree"
    if len(strays) > allowed:
        return Verdict(False, False, f"DIFFERS, {rule}: {count}, {allowed} may stray: {_describe(strays[0])}")
    lean = _describe_lean(before[agreeing], now[agreeing])
    if lean is not None:
        return Verdict(False, False, f"DIFFERS, {rule}: {count}, but their test accuracy {lean}")
    return Verdict(True, False, f"within tolerance, {rule}: {count}")


def compare_baseline(pairs: Pairs, *, provenances: Provenances, tests: int) -> Verdict:
    """Compare a baseline; `tests` is its number of test sequences."""
    accuracies = np.concatenate([_read_numbers(table, "guess_accuracy").fillna(0) for table in pairs["baselines"]])
    limit = ERRORS * _estimate_standard_error(*accuracies, sequences=tests)

    def is_same(value: Difference) -> bool:
        if value.column == "guess_accuracy":
            return bool(np.ptp(accuracies) <= limit)
        if value.column == "easy":  # follows from the accuracy
            return bool(np.ptp(accuracies) > 0)
        return value.column == "guess_loss" or is_close(value, columns=baselines.COLUMNS)

    return _compare_tables(pairs, pairs, is_same=is_same, provenances=provenances, how="compared by tolerance")


def compare_measurement(pairs: Pairs, *, provenances: Provenances) -> Verdict:
    """Compare a measurement, elsewhere only before the networks are trained."""

    def is_same(value: Difference) -> bool:
        absolute = ABSOLUTE_TOLERANCES.get(value.column)
        return absolute is not None and value.is_near(relative=SIX_DIGITS, absolute=absolute)

    initial: Pairs = {
        name: (published[published["snapshot"] == "initial"], recomputed[recomputed["snapshot"] == "initial"])
        for name, (published, recomputed) in pairs.items()
    }
    rows = format_count(sum(len(published) for published, _ in initial.values()), "row")
    scope, how = f" ({rows}); trained networks are not compared", "compared before training"
    return _compare_tables(pairs, initial, is_same=is_same, provenances=provenances, how=how, scope=scope)


def find_rounding_reasons(published: Row, recomputed: Row) -> list[str]:
    """Return why two provenances may round differently; a field that one of them lacks does not count.

    The CPU type does: two processors of one name (`AMD EPYC`) may be of different generations.
    """
    versions = sorted(name for name in published if name.startswith("versions.") and name != "versions.snakemake")
    typed = bool(published.get("processor_type") and recomputed.get("processor_type"))  # more precise than the name
    left_out = {"processor" if typed else "", "" if published.get("compiled_for") else "compiled_for"}
    names = [name for name in (*DECIDING, *versions) if name not in left_out and name in published.keys() & recomputed]
    reasons = [
        f"{label} was {published[name][:40] or 'none'} and is {recomputed[name][:40] or 'none'}"
        for name in names
        for label in ["compiled for another CPU: it" if name == "compiled_for" else name.removeprefix("versions.")]
        if published[name] != recomputed[name]
    ]
    before, now = (row.get("platform", "").rpartition("-with-")[2] for row in (published, recomputed))
    if recomputed.get("processor_type") and not published.get("processor_type"):
        reasons.append("the CPU type was not recorded")
    return [*reasons, f"the C library was {before} and is {now}"] if before != now else reasons


def _compare_tables(
    pairs: Pairs,
    tolerated: Pairs,
    *,
    is_same: Callable[[Difference], bool],
    provenances: Provenances,
    how: str,
    scope: str = "",
) -> Verdict:
    """Compare a job bit for bit, or where bits are not promised what is `tolerated` by `is_same`."""
    differences = _list_differences(pairs, is_same=lambda _: False)
    if not differences:
        counts = [f"{format_count(len(published), 'row')} of {name}.csv" for name, (published, _) in pairs.items()]
        return Verdict(True, True, f"equal, bit for bit ({', '.join(counts)})")
    reasons = find_rounding_reasons(*provenances)
    rule = f"{how}, as {reasons[0]}" if reasons else SAME
    if reasons:
        differences = _list_differences(tolerated, is_same=is_same)
    if differences:
        return describe_differences(differences, rule=rule)
    return Verdict(True, False, f"within tolerance, {rule}{scope}")


def _list_differences(pairs: Pairs, *, is_same: Callable[[Difference], bool]) -> list[str]:
    texts = []
    for name, pair in pairs.items():
        unmatched, differences = compare_texts(*pair, key=load_table(name).KEY)
        unmatched += [value.text for value in differences if not is_same(value)]
        texts += [f"{name}.csv {text}" for text in unmatched]
    return texts


def _estimate_standard_error(*accuracies: Any, sequences: Any) -> Any:
    """Return the standard error of the difference of two test accuracies; one right or wrong is the least known."""
    shares = [(accuracy * sequences + 0.5) / (sequences + 1) for accuracy in accuracies]
    return np.sqrt(sum(share * (1 - share) for share in shares) / sequences)


def _find_stray_columns(published: pd.DataFrame, recomputed: pd.DataFrame) -> pd.Series:
    """Return by replica the column in which it does not agree, or an empty text."""
    tables = (published, recomputed)
    before, now = (_read_numbers(table, "test_accuracy") for table in tables)
    border = [(table["solved"] == "False") & _reaches_criterion(table, data="validation") for table in tables]
    solved = [(table["solved"] == "True") & _reaches_criterion(table, data="test") for table in tables]
    error = _estimate_standard_error(before, now, sequences=_read_numbers(published, "test_sequences"))
    is_near = ((now - before).abs() <= ERRORS * error) | (before.isna() & now.isna())
    strays = {
        "diverged": published["diverged"] != recomputed["diverged"],
        "solved": (published["solved"] != recomputed["solved"]) & ~(border[0] | border[1]),
        "test_accuracy": ~(is_near | (solved[0] & solved[1])),
    }
    return pd.Series(np.select(list(strays.values()), list(strays), default=""), index=published.index)


def _reaches_criterion(table: pd.DataFrame, *, data: str) -> pd.Series:
    """Return whether accuracies are at the criterion or less than four standard errors below it."""
    criterion = _read_numbers(table, "success_accuracy")
    error = np.sqrt(criterion * (1 - criterion) / _read_numbers(table, f"{data}_sequences"))
    return _read_numbers(table, f"{data}_accuracy") >= criterion - ERRORS * error


def _describe_lean(published: pd.DataFrame, recomputed: pd.DataFrame) -> str | None:
    """Return how the mean accuracies differ, or None where chance explains it."""
    before, now = (_read_numbers(table, "test_accuracy") for table in (published, recomputed))
    differences = (now - before).dropna()
    if len(differences) < 2:
        return None
    mean = differences.mean()
    error = _estimate_standard_error(before, now, sequences=_read_numbers(published, "test_sequences")).mean()
    p = stats.ttest_1samp(differences, 0).pvalue if np.ptp(differences) > 1e-9 else 0.0
    return f"is {mean:+.4f} away on average, p = {p:.1g}" if abs(mean) > error and p < LEAN else None


def _read_numbers(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column as finite numbers, NaN where a text is none or the column is not there."""
    texts = table[column] if column in table else pd.Series(index=table.index, dtype=str)
    return pd.to_numeric(texts, errors="coerce").replace([np.inf, -np.inf], np.nan)


def _is_same(value: Difference) -> bool:
    """Return whether no rounding is needed to explain two texts, or one in the tenth digit."""
    if value.column in OPTIONS:  # options that came later had one value before
        return _parse_options(value.published).items() <= _parse_options(value.recomputed).items()
    return value.is_near(relative=1e-9)


def _parse_options(text: str) -> dict[str, str]:
    try:
        return {name: json.dumps(option) for name, option in json.loads(text).items()}
    except (ValueError, AttributeError):
        return {"": text}


def _describe(value: Difference) -> str:
    return f"{value.column} of {value.row}: {value.values}"
