"""Values that an option of a task or cell can have, drawn from its JSON schema."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any


def values(schema: Mapping[str, Any]) -> list[Any]:
    """List values that an option's schema allows: all of a closed set, the two smallest round ones of an open one."""
    if "enum" in schema:
        return list(schema["enum"])
    if "const" in schema:
        return [schema["const"]]
    if "anyOf" in schema:
        return list(itertools.chain.from_iterable(values(part) for part in schema["anyOf"]))
    if schema["type"] == "boolean":
        return [False, True]
    step = {"number": 0.5, "integer": 1}[schema["type"]]
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + step * ("exclusiveMinimum" in schema))
    return [value for value in (lowest, lowest + step) if _below(value, schema)]


def combinations(options: Mapping[str, Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """Yield every combination of the values of all options."""
    for chosen in itertools.product(*(values(schema) for schema in options.values())):
        yield dict(zip(options, chosen, strict=True))


def _below(value: float, schema: Mapping[str, Any]) -> bool:
    return value <= schema.get("maximum", value) and value < schema.get("exclusiveMaximum", value + 1)
