"""The condition: one point of a figure, and its conversions from and to a path, wildcards and settings."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

PATH = re.compile(
    r"(?P<device>[^/]+)/(?P<task>[^/]+)/lag=(?P<lag>\d+)/(?P<model>[^/]+)(/(?P<gradient>[^/]+))?", re.ASCII
)


class Condition(NamedTuple):
    """One point of a figure; that of a baseline, which all gradients of a model share, has the gradient ''."""

    device: str
    task: str
    lag: int
    model: str
    gradient: str = ""

    def to_path(self) -> str:
        """Return the path of its folder: cpu/adding/lag=5/lstm/full."""
        return "/".join(filter(None, (self.device, self.task, f"lag={self.lag}", self.model, self.gradient)))

    @classmethod
    def from_path(cls, path: str) -> "Condition":
        """Return the condition of a folder's path; a path that names none is a ValueError."""
        match = PATH.fullmatch(path)
        condition = None if match is None else cls.from_wildcards(match.groupdict(default=""))
        if condition is None or condition.to_path() != path:
            raise ValueError(f"expected a path such as cpu/adding/lag=5/lstm/full; came {path!r}")
        return condition

    def to_wildcards(self) -> dict[str, str]:
        """Return the wildcards that fill the pattern of its path."""
        return {name: str(value) for name, value in self._asdict().items() if value != ""}

    @classmethod
    def from_wildcards(cls, wildcards: Mapping[str, str]) -> "Condition":
        """Return the condition of a job's wildcards; others than those of a condition do not count."""
        device, task, lag, model = (wildcards[name] for name in cls._fields[:4])
        return cls(device, task, int(lag), model, wildcards.get("gradient", ""))

    def to_settings(self) -> dict[str, Any]:
        """Return the part of a job's settings that names its condition."""
        gradient = {"gradient": {"name": self.gradient}} if self.gradient else {}
        task = {"name": self.task, "lag": self.lag}
        return {"device": self.device, "task": task, "model": {"name": self.model}, **gradient}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Condition":
        """Return the condition of a job's settings."""
        task, gradient = settings["task"], settings.get("gradient", {"name": ""})
        return cls(settings["device"], task["name"], task["lag"], settings["model"]["name"], gradient["name"])
