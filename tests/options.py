"""Values that an option of a task or cell can have, taken from its JSON schema."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any


def values(schema: Mapping[str, Any]) -> list[Any]:
    """List values that an option's schema allows: its examples, all of a closed set, the two smallest round ones."""
    if "examples" in schema:
        return list(schema["examples"])
    if "enum" in schema:
        return list(schema["enum"])
    if "const" in schema:
        return [schema["const"]]
    if "anyOf" in schema:
        return list(itertools.chain.from_iterable(values(part) for part in schema["anyOf"]))
    if schema.get("type") == "boolean":
        return [False, True]
    if schema.get("type") not in ("number", "integer"):
        raise ValueError(f"the schema {schema} must have examples, enum, const, anyOf, or the type number or boolean")
    step = {"number": 0.5, "integer": 1}[schema["type"]]
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + step * ("exclusiveMinimum" in schema))
    return [value for value in (lowest, lowest + step) if _is_below_maximum(value, schema)]


def combinations(options: Mapping[str, Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """Yield every combination of the values of all options."""
    for chosen in itertools.product(*(values(schema) for schema in options.values())):
        yield dict(zip(options, chosen, strict=True))


def _is_below_maximum(value: float, schema: Mapping[str, Any]) -> bool:
    return value <= schema.get("maximum", value) and value < schema.get("exclusiveMaximum", value + 1)
