"""Whether a run that was computed again agrees with the published one: bit for bit, or within a stated tolerance.

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
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scipy import stats

Row = Mapping[str, str]

REPLICA = ("seed", "learning_rate")  # what names a row within a run
TRAINED = {"updates", "sequences", "updates_to_solve", "solved", "diverged", "best_update", "sequences_to_error"}
TRAINED |= {f"{data}_{score}" for data in ("validation", "test") for score in ("loss", "accuracy", "exact_match")}
TRAINED |= {"sequences_to_streak"}
OPTIONS = {"task_options", "model_options", "optimiser"}
DECIDING = ("processor_type", "processor", "compiled_for", "gpu", "kernel", "sources")  # how sums are rounded
ERRORS = 4  # standard errors
STRAYS = 0.4  # of the replicas
LEAN = 0.001


class Verdict(NamedTuple):
    """The outcome of comparing a run."""

    agrees: bool
    exact: bool
    """Whether every value was equal."""
    message: str


def compare_run(published: Sequence[Row], recomputed: Sequence[Row], *, provenances: tuple[Row, Row]) -> Verdict:
    """Compare the replicas of a run; `provenances` are the published and the recomputed one."""
    published_rows, recomputed_rows = ({_name(row): row for row in rows} for rows in (published, recomputed))
    unmatched = sorted(recomputed_rows.keys() ^ published_rows.keys())
    if len(published_rows) != len(published):
        return Verdict(False, False, "DIFFERS: summary.csv has a replica twice")
    if unmatched:
        which = "no" if unmatched[0] in recomputed_rows else "an unknown"
        return Verdict(False, False, f"DIFFERS: summary.csv has {which} {unmatched[0]}")
    pairs = [(published_rows[name], recomputed_rows[name]) for name in sorted(published_rows)]
    fixed = next((text for pair in pairs for text in _fixed_differences(*pair)), None)
    if fixed is not None:
        return Verdict(False, False, f"DIFFERS: {fixed}")
    unequal = [text for pair in pairs for text in list(_differences(*pair))[:1]]
    if not unequal:
        return Verdict(True, True, f"equal, bit for bit ({_replicas(len(pairs))})")
    reasons = find_rounding_reasons(*provenances)
    is_rounded = not any(text for pair in pairs for text in _differences(*pair, is_same=_is_same))
    if not reasons or (2 * len(unequal) <= len(pairs) and not is_rounded):
        same = "the others are equal bit for bit" if reasons else "CPU type, versions and code are the same"
        return Verdict(False, False, f"DIFFERS in {len(unequal)} of {_replicas(len(pairs))}, {same}: {unequal[0]}")
    return _compare_by_tolerance(pairs, reason=reasons[0])


def find_rounding_reasons(published: Row, recomputed: Row) -> list[str]:
    """Return why two provenances may round differently; a field that one of them lacks does not count."""
    versions = sorted(name for name in published if name.startswith("versions.") and name != "versions.snakemake")
    typed = bool(published.get("processor_type") and recomputed.get("processor_type"))  # more precise than the name
    left_out = {"processor" if typed else "", "" if published.get("compiled_for") else "compiled_for"}
    names = [name for name in (*DECIDING, *versions) if name not in left_out]
    reasons = [
        f"{label} was {published[name][:40] or 'none'} and is {recomputed[name][:40] or 'none'}"
        for name in names
        for label in ["compiled for another CPU: it" if name == "compiled_for" else name.removeprefix("versions.")]
        if name in published and name in recomputed and published[name] != recomputed[name]
    ]
    before, now = (row.get("platform", "").rpartition("-with-")[2] for row in (published, recomputed))
    return [*reasons, f"the C library was {before} and is {now}"] if before != now else reasons


def estimate_standard_error(*rows: Row) -> float:
    """Return the standard error of the difference of two test accuracies; one right or wrong is the least known."""
    size = float(rows[0]["test_sequences"])
    shares = [(float(row["test_accuracy"]) * size + 0.5) / (size + 1) for row in rows]
    return math.sqrt(sum(share * (1 - share) for share in shares) / size)


def parse_number(text: str) -> float | None:
    """Return a finite number, or None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _compare_by_tolerance(pairs: Sequence[tuple[Row, Row]], *, reason: str) -> Verdict:
    strays = [text for pair in pairs if (text := _describe_stray(*pair))]
    allowed = max(1, int(len(pairs) * STRAYS))
    agreeing = [pair for pair in pairs if not _describe_stray(*pair)]
    rule = f"compared by tolerance, as {reason}"
    count = f"{len(agreeing)} of {_replicas(len(pairs))} agree"
    if len(strays) > allowed:
        return Verdict(False, False, f"DIFFERS, {rule}: {count}, {allowed} may stray: {strays[0]}")
    lean = _describe_lean(agreeing)
    if lean is not None:
        return Verdict(False, False, f"DIFFERS, {rule}: {count}, but their test accuracy {lean}")
    return Verdict(True, False, f"within tolerance, {rule}: {count}")


def _describe_stray(published: Row, recomputed: Row) -> str | None:
    """Return in what a replica does not agree, or None."""
    for flag in ("diverged", "solved"):
        if published[flag] != recomputed[flag] and not (flag == "solved" and _on_the_border(published, recomputed)):
            return _difference(flag, published, recomputed)
    before, now = (parse_number(row["test_accuracy"]) for row in (published, recomputed))
    if before is None or now is None:
        return None if before == now else _difference("test_accuracy", published, recomputed)
    if published["solved"] == recomputed["solved"] == "True":
        criterion = float(published["success_accuracy"])
        error = math.sqrt(criterion * (1 - criterion) / float(published["test_sequences"]))
        if min(before, now) >= criterion - ERRORS * error:
            return None
    if abs(now - before) > ERRORS * estimate_standard_error(published, recomputed):
        return _difference("test_accuracy", published, recomputed)
    return None


def _on_the_border(*rows: Row) -> bool:
    unsolved = next((row for row in rows if row["solved"] == "False"), None)
    if unsolved is None:
        return False
    accuracy, criterion = parse_number(unsolved["validation_accuracy"]), float(unsolved["success_accuracy"])
    if accuracy is None or not unsolved.get("validation_sequences"):
        return False
    error = math.sqrt(criterion * (1 - criterion) / float(unsolved["validation_sequences"]))
    return accuracy >= criterion - ERRORS * error


def _describe_lean(pairs: Sequence[tuple[Row, Row]]) -> str | None:
    """Return how the mean accuracies differ, or None where chance explains it."""
    scored = [(a, b) for a, b in pairs if a["test_accuracy"] and b["test_accuracy"]]
    differences = [float(b["test_accuracy"]) - float(a["test_accuracy"]) for a, b in scored]
    if len(differences) < 2:
        return None
    mean = math.fsum(differences) / len(differences)
    error = math.fsum(estimate_standard_error(*pair) for pair in scored) / len(scored)
    spread = max(differences) - min(differences)
    p = float(stats.ttest_1samp(differences, 0).pvalue) if spread > 1e-9 else 0.0
    return f"is {mean:+.4f} away on average, p = {p:.1g}" if abs(mean) > error and p < LEAN else None


def _fixed_differences(published: Row, recomputed: Row) -> Iterator[str]:
    for column in published:
        if column in TRAINED or column in REPLICA:
            continue
        if column not in recomputed:
            yield f"summary.csv has a column {column} that this version does not write"
        elif not _is_same(column, published[column], recomputed[column]):
            yield _difference(column, published, recomputed)


def _is_same(column: str, before: str, now: str) -> bool:
    if before == now:
        return True
    if column in OPTIONS:  # options that came later had one value before
        return _options(before).items() <= _options(now).items()
    numbers = [parse_number(text) for text in (before, now)]
    return None not in numbers and math.isclose(numbers[0] or 0.0, numbers[1] or 0.0, rel_tol=1e-9)


def _options(text: str) -> dict[str, str]:
    try:
        return {name: json.dumps(value) for name, value in json.loads(text).items()}
    except (ValueError, AttributeError):
        return {"": text}


def _differences(
    published: Row, recomputed: Row, *, is_same: Callable[[str, str, str], bool] = lambda _, before, now: before == now
) -> Iterator[str]:
    for column in published:
        if column not in OPTIONS and not is_same(column, published[column], recomputed.get(column, "")):
            yield _difference(column, published, recomputed)


def _difference(column: str, published: Row, recomputed: Row) -> str:
    where = ", ".join(f"{name} {published[name]}" for name in REPLICA)
    values = (row.get(column) or "nothing" for row in (published, recomputed))
    return "{} of {}: published {}, recomputed {}".format(column, where, *values)


def _name(row: Row) -> str:
    return ", ".join(f"{name} {row[name]}" for name in REPLICA)


def _replicas(count: int) -> str:
    return f"{count} replica{'s' if count != 1 else ''}"
