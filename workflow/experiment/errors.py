"""The errors of a configuration: one line that names the key, what was expected, what came and the nearest name."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from records.log import printable

WIDTH = 80  # characters of a value or of a list of names that fit into one line


class ConfigurationError(ValueError):
    """A mistake in the configuration, described in one line."""


def make_error(key: str, reason: str) -> ConfigurationError:
    """Return the error of a dotted key; a key with blanks around it is quoted, so that they can be seen."""
    name = repr(key) if key != key.strip() else printable(key)
    return ConfigurationError(f"config: {name}: {printable(reason)}" if key else f"config: {printable(reason)}")


def require(holds: bool, key: str, expected: str, came: Any) -> None:
    """Raise the error of a key unless its value is as expected."""
    if not holds:
        raise make_error(key, f"expected {expected}; came {came}")


def require_name(key: str, name: Any, *, names: Iterable[str], kind: str = "") -> None:
    """Raise the error of a name that does not exist; the last part of the key says the name of what, unless `kind`."""
    names = sorted(names)
    if name not in names:
        unknown = f"unknown {kind or key.rpartition('.')[2].removesuffix('s')} {format_value(name)}"
        raise make_error(key, f"{unknown}; known: {format_names(names)}{suggest_nearest(name, names=names)}")


def suggest_nearest(came: Any, *, names: Iterable[str]) -> str:
    """Suggest the name that is most like what came, or nothing."""
    close = difflib.get_close_matches(str(came), list(names), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def format_value(value: Any) -> str:
    """Write a value as YAML would, shortened."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value) if isinstance(value, str | int | float | list | dict) else f"{type(value).__name__} {value}"
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 4]} ..."


def format_names(names: Iterable[Any]) -> str:
    """Join names for a message."""
    text = ", ".join(map(str, names)) or "none"
    return text if len(text) <= 5 * WIDTH else f"{text[: 5 * WIDTH]} ..."


def format_pairs(options: Mapping[str, Any]) -> str:
    """Write options as `name: value` pairs."""
    return ", ".join(f"{name}: {format_value(value)}" for name, value in options.items())
