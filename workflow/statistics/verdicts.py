"""Verdicts by rules: of an interval, of a check over its groups, and of a claim over its checks.

A group holds if its whole interval meets the rule, fails if all of it misses, and is undecided if it straddles the
limit or has no interval. A check holds if every group does, fails if none holds and some fail, holds only under a
condition if some hold and some fail, and is otherwise undecided. The condition is what distinguishes the groups that
hold from those that fail. A claim fails if a check fails, else is undecided if a check is, else holds, under the
conditions of its checks.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from workflow.statistics.intervals import Interval

HOLDS, FAILS, UNDECIDED, ONLY_IF = "holds", "fails", "undecided", "holds only if"
Labels = Mapping[str, str]


def judge_interval(interval: Interval, rule: Mapping[str, Any]) -> str:
    """Return the verdict of a rule on an interval."""
    ((name, limit),) = rule.items()
    low, high = interval
    if math.isnan(low) or math.isnan(high):
        return UNDECIDED
    met, missed = {
        "at_most": lambda: (high <= limit, low > limit),
        "below": lambda: (high < limit, low >= limit),
        "at_least": lambda: (low >= limit, high < limit),
        "above": lambda: (low > limit, high <= limit),
        "within": lambda: (limit[0] <= low and high <= limit[1], high < limit[0] or low > limit[1]),
    }[name]()
    return HOLDS if met else FAILS if missed else UNDECIDED


def judge_check(groups: Sequence[tuple[Labels, str]]) -> tuple[str, str]:
    """Return the verdict of a check over its groups, each with its labels and verdict, and its condition."""
    held, failed = ([labels for labels, verdict in groups if verdict == which] for which in (HOLDS, FAILS))
    if held and failed:
        return ONLY_IF, find_condition(held, failed=failed)
    if failed:
        return FAILS, ""
    return (HOLDS if held and len(held) == len(groups) else UNDECIDED), ""


def judge_claim(checks: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Return the verdict on a claim from the verdicts of its checks, and its condition."""
    checks = list(checks)
    verdict = next(verdict for verdict in (FAILS, UNDECIDED, ONLY_IF, HOLDS) if verdict in dict(checks))
    conditions = dict.fromkeys(condition for _, condition in checks if condition)
    return verdict, ", and ".join(conditions) if verdict == ONLY_IF else ""


def find_condition(held: Sequence[Mapping[str, str]], *, failed: Sequence[Mapping[str, str]]) -> str:
    """Return the shortest condition of the form a = 1 or 2 and b = 3 that is true in `held` and in none of `failed`.

    Where there is none, the cases that hold are listed, or those that fail if they are fewer.
    """
    needed = {column: list(dict.fromkeys(labels[column] for labels in held)) for column in held[0]}

    def excludes(condition: Mapping[str, list[str]]) -> bool:
        return not any(all(labels[name] in values for name, values in condition.items()) for labels in failed)

    if not excludes(needed):
        fewer = held if len(held) <= len(failed) else failed
        cases = ["(" + " and ".join(f"{k} = {v}" for k, v in labels.items()) + ")" for labels in fewer]
        if fewer is held:
            return " or ".join(cases)
        return f"not {cases[0]}" if len(cases) == 1 else f"neither {' nor '.join(cases)}"
    for column in list(needed)[::-1]:
        without = {name: values for name, values in needed.items() if name != column}
        needed = without if excludes(without) else needed
    return " and ".join(f"{name} = {' or '.join(values)}" for name, values in needed.items())


def describe_rule(rule: Mapping[str, Any]) -> str:
    """Write a rule in words."""
    ((name, limits),) = rule.items()
    return f"{name.replace('_', ' ')} {' to '.join(f'{limit:g}' for limit in np.ravel(limits))}"
