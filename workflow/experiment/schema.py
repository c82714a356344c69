"""The JSON schema of configurations, and its errors told in one line each."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from workflow.experiment.errors import ConfigurationError, listed, nearest, refuse, shown

DEPTH = 12  # no configuration nests deeper; a YAML alias that contains itself does
LARGEST = 2**63
"""No number of a configuration is as large, and a job could not hold it."""
KINDS = {"integer": "an integer", "number": "a number", "string": "text", "boolean": "true or false", "null": "null"}


def check_plain(value: Any, *, key: str = "", depth: int = 0) -> None:
    """Refuse what JSON cannot say: keys that are no text, NaN and infinity, dates, aliases that contain themselves."""
    if depth > DEPTH:
        raise refuse(key, f"expected no more than {DEPTH} levels; came a value that nests deeper or contains itself")
    if isinstance(value, Mapping):
        for name, below in value.items():
            if not isinstance(name, str):
                raise refuse(key, f"expected keys that are text; came {shown(name)}: put it in quotes")
            check_plain(below, key=f"{key}.{name}" if key else name, depth=depth + 1)
    elif isinstance(value, list | tuple):
        for number, below in enumerate(value):
            check_plain(below, key=f"{key}[{number}]", depth=depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise refuse(key, f"expected a finite number; came {shown(value)}")
    elif isinstance(value, int | float) and abs(value) >= LARGEST:
        size = math.floor(math.log2(abs(value)))  # its digits may be too many to write
        raise refuse(key, f"expected a number between -2^63 and 2^63; came one of about 2^{size}")
    elif not isinstance(value, str | int | float | None):
        raise refuse(key, f"expected a number, text, true, false, null, a list or a mapping; came {shown(value)}")


def check_schema(value: Any, *, schema: Mapping[str, Any], key: str = "") -> None:
    """Refuse the first mistake; an unknown key goes before the missing one that it was meant to be."""
    errors = list(islice(Draft202012Validator(schema).iter_errors(value), 100))
    if errors:
        errors.sort(key=lambda error: error.validator != "additionalProperties")
        raise _told(errors[0], root=schema, key=key)


def describe(schema: Mapping[str, Any], *, root: Mapping[str, Any]) -> str:
    """Say in words what a schema allows."""
    if "$ref" in schema:
        return describe(_resolved(schema, root=root), root=root)
    if "title" in schema:
        return str(schema["title"])
    if "const" in schema:
        return shown(schema["const"]).strip("'")
    if "enum" in schema:
        return f"one of {listed(map(_plain, schema['enum']))}"
    if "anyOf" in schema:
        return " or ".join(describe(branch, root=root) for branch in schema["anyOf"])
    kind = schema.get("type")
    if kind == "object":
        return f"a mapping with the keys {listed(schema['properties'])}" if "properties" in schema else "a mapping"
    if kind == "array":
        return _described_list(schema, root=root)
    return f"{KINDS.get(str(kind), 'another value')}{_bounds(schema)}"


def _told(error: ValidationError, *, root: Mapping[str, Any], key: str) -> ConfigurationError:
    place = dotted([*([key] if key else []), *error.absolute_path])
    schema: Mapping[str, Any] = error.schema  # type: ignore[assignment]
    came: Any = error.instance
    if error.validator == "additionalProperties":
        known = list(schema["properties"])
        extra = next(name for name in came if name not in known)
        return refuse(
            dotted([place, extra or "''"]), f"unknown key; known: {listed(known)}{nearest(extra, known=known)}"
        )
    if error.validator == "required":
        missing = next(name for name in schema["required"] if name not in came)
        allowed = describe(schema["properties"][missing], root=root)
        return refuse(dotted([place, missing]), f"the key is missing; expected {allowed}")
    if "propertyNames" in error.absolute_schema_path:
        return refuse(dotted([place, str(came)]), f"expected {describe(schema, root=root)}; came {shown(came)}")
    if error.validator == "uniqueItems":
        twice, _ = Counter(shown(item) for item in came).most_common(1)[0]
        return refuse(place, f"expected {describe(schema, root=root)}; came {twice} twice")
    hint = _hint(came, schema) + nearest(came, known=map(str, schema.get("enum", [])))
    return refuse(place, f"expected {describe(schema, root=root)}; came {shown(came)}{hint}")


def dotted(parts: Iterable[str | int]) -> str:
    """Join the parts of a key: grid[0].tasks."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text and part else part
    return text


def _described_list(schema: Mapping[str, Any], *, root: Mapping[str, Any]) -> str:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    different = "different " if schema.get("uniqueItems") else ""
    bounds = f"{least} to {most} " if most else f"at least {least} " if least else ""
    return f"a list of {bounds}{different}items, each {describe(schema.get('items', {}), root=root)}"


def _bounds(schema: Mapping[str, Any]) -> str:
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    return "".join(f" {sign} {schema[name]}" for name, sign in signs.items() if name in schema).replace(
        " <", " and <", 1
    )


def _hint(came: Any, schema: Mapping[str, Any]) -> str:
    """Explain the value that looks right and is not."""
    if isinstance(came, str) and schema.get("type") in ("number", "integer"):
        try:
            float(came)
        except ValueError:
            return ""
        return ", which YAML reads as text: write the number without quotes, with a point before an exponent (1.0e-8)"
    return ""


def _resolved(schema: Mapping[str, Any], *, root: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema["$ref"].removeprefix("#/$defs/")
    found: Mapping[str, Any] = root["$defs"][name]
    return found


def _plain(value: Any) -> str:
    return shown(value).strip("'")
