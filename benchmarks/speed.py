"""The speed of all contestants at every point of the grid, in turns, so that a slow minute hits all of them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from benchmarks.points import SLOW, SLOW_ROUNDS, Contestant, Point, contestants_at
from benchmarks.teams import Team

SHORTEST = 0.02
"""Seconds that one measurement lasts at least."""


def measure_speed(
    points: Sequence[Point], teams: Mapping[str, Team], *, rounds: int, report_line: Callable[[str], None]
) -> pd.DataFrame:
    """Measure every contestant at every point, `rounds` times, of which the first does not count.

    One row per point, contestant and round; `microseconds` per time step and replica.
    """
    rows = []
    for number, point in enumerate(points, start=1):
        began = time.perf_counter()
        measured = _measure_point(point, teams, rounds=rounds)
        rows += measured
        fastest = {
            f"{row['implementation']} {row['model']}": row["microseconds"]
            for row in sorted(measured, key=lambda row: -row["microseconds"])
            if row["gradient"] == "full"
        }
        shown = ", ".join(f"{name} {microseconds:.3g}" for name, microseconds in fastest.items())
        seconds = time.perf_counter() - began
        report_line(f"speed {number}/{len(points)}, {point} ({seconds:.0f} s): microseconds per step: {shown}")
    return pd.DataFrame(rows)


def _measure_point(point: Point, teams: Mapping[str, Team], *, rounds: int) -> list[dict]:
    contestants = contestants_at(point, available=set(teams))
    calls = {
        contestant: max(math.ceil(SHORTEST / max(teams[contestant.implementation].prepare(contestant, point), 1e-9)), 1)
        for contestant in contestants
    }
    rows = []
    for turn in range(rounds):
        for contestant in contestants:
            if turn >= SLOW_ROUNDS and contestant.implementation in SLOW:
                continue
            seconds = teams[contestant.implementation].measure(contestant, calls=calls[contestant])
            if turn:
                rows.append(_row(point, contestant, calls=calls[contestant], seconds=seconds))
    return rows


def _row(point: Point, contestant: Contestant, *, calls: int, seconds: float) -> dict:
    steps = point.replicas * point.sequence_length
    return point._asdict() | contestant._asdict() | {"calls": calls, "microseconds": seconds / steps * 1e6}
