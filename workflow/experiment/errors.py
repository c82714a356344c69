"""The refusal of a configuration: one line that names the key, what was expected, what came and what is close."""

import difflib
from collections.abc import Iterable
from typing import Any

from records.log import printable

WIDTH = 80  # characters of a value or of a list of names that one line can bear


class ConfigurationError(ValueError):
    """A mistake in the configuration, told in one line."""


def refuse(key: str, why: str) -> ConfigurationError:
    """Make the error for a dotted key; one that nobody could see is quoted."""
    named = repr(key) if key != key.strip() else printable(key)
    return ConfigurationError(f"config: {named}: {printable(why)}" if key else f"config: {printable(why)}")


def unknown(key: str, *, what: str, came: Any, known: Iterable[str]) -> ConfigurationError:
    """Make the error for a name that does not exist."""
    names = sorted(known)
    return refuse(key, f"unknown {what} {shown(came)}; known: {listed(names)}{nearest(came, known=names)}")


def nearest(came: Any, *, known: Iterable[str]) -> str:
    """Suggest the closest known name, or nothing."""
    close = difflib.get_close_matches(str(came), list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def shown(value: Any) -> str:
    """Show a value as YAML would write it, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, str | int | float | list | dict) else f"{type(value).__name__} {value}"
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 4]} ..."


def listed(names: Iterable[Any]) -> str:
    """Join names for a message."""
    text = ", ".join(str(name) for name in names) or "none"
    return text if len(text) <= 5 * WIDTH else f"{text[: 5 * WIDTH]} ..."
