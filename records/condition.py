"""The condition: one point of a figure, one job; and its conversions."""

from typing import NamedTuple


class Condition(NamedTuple):
    """One point of a figure."""

    device: str
    task: str
    lag: int
    model: str
    gradient: str
