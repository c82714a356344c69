"""Validation of the keys of a mapping by a pydantic model, and its first mistake in one line."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from workflow.experiment.configuration import LABEL
from workflow.experiment.errors import ConfigurationError, format_names, format_value, make_error, suggest_nearest

WORDS = {"integer": "an integer", "number": "a number", "string": "text", "boolean": "true or false", "null": "null"}
SIGNS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}

Model = TypeVar("Model", bound=BaseModel)
Schema = Mapping[str, Any]


def validate_keys(value: Any, *, model: type[Model], key: str = "") -> Model:
    """Return the model of a value; an unknown key is reported before the missing one that it was meant to be."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False, include_input=False)
        first = min(mistakes, key=lambda mistake: mistake["type"] != "extra_forbidden")
        raise _explain(first["type"], first["loc"], value=value, root=model.model_json_schema(), key=key) from error


def describe(schema: Schema, *, root: Schema) -> str:
    """Write in words what a JSON schema allows."""
    schema = _resolve(schema, root=root)
    if "expected" in schema:
        return str(schema["expected"])
    if "const" in schema:
        return _plain(schema["const"])
    if "enum" in schema:
        return f"one of {format_names(map(_plain, schema['enum']))}"
    if "anyOf" in schema:
        return " or ".join(describe(branch, root=root) for branch in schema["anyOf"])
    kind = schema.get("type")
    if kind == "object":
        return (
            f"a mapping with the keys {format_names(schema['properties'])}" if "properties" in schema else "a mapping"
        )
    if kind == "array":
        return _describe_list(schema, root=root)
    return f"{WORDS.get(str(kind), 'another value')}{_describe_bounds(schema)}"


def join_keys(parts: Iterable[str | int]) -> str:
    """Join the parts of a key: grid[0].tasks."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text and part else part
    return text


def _explain(kind: str, loc: Sequence[str | int], *, value: Any, root: Schema, key: str) -> ConfigurationError:
    """Return the error of a mistake of pydantic's kind at `loc`, which may end in the name of a branch of a union."""
    schema = root
    parts: list[str | int] = [key] if key else []
    if loc[-1] == "[key]":
        return make_error(join_keys([*parts, *loc[:-1]]), f"expected {LABEL}; came {format_value(loc[-2])}")
    for number, part in enumerate(loc, start=1):
        branch = _choose_branch(schema, value, root=root)
        if number == len(loc) and kind == "extra_forbidden":
            names = list(branch["properties"])
            reason = f"unknown key; known: {format_names(names)}{suggest_nearest(part, names=names)}"
            return make_error(join_keys([*parts, part or "''"]), reason)
        if number == len(loc) and kind == "missing":
            expected = describe(branch["properties"][part], root=root)
            return make_error(join_keys([*parts, part]), f"the key is missing; expected {expected}")
        if isinstance(value, Mapping) and part in value:
            below = branch.get("properties", {}).get(part)
            schema = below or next(iter(branch.get("patternProperties", {"": {}}).values()))
        elif isinstance(value, list) and isinstance(part, int):
            schema = branch["items"]
        else:
            break
        value = value[part]
        parts.append(part)
    expected = f"expected {describe(schema, root=root)}"
    if kind == "duplicate":
        twice, _ = Counter(map(format_value, value)).most_common(1)[0]
        return make_error(join_keys(parts), f"{expected}; came {twice} twice")
    schema = _choose_branch(schema, value, root=root)
    hint = _explain_text(value, schema) + suggest_nearest(value, names=map(str, schema.get("enum", [])))
    return make_error(join_keys(parts), f"{expected}; came {format_value(value)}{hint}")


def _choose_branch(schema: Schema, value: Any, *, root: Schema) -> Schema:
    """Return the schema itself, or of a union the branch that a mapping or a list was meant to be."""
    schema = _resolve(schema, root=root)
    kind = "object" if isinstance(value, Mapping) else "array" if isinstance(value, list) else None
    branches = [_resolve(branch, root=root) for branch in schema.get("anyOf", ())]
    return next((branch for branch in branches if branch.get("type") == kind), schema)


def _resolve(schema: Schema, *, root: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    definition: Schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return definition


def _describe_list(schema: Schema, *, root: Schema) -> str:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    different = "different " if schema.get("uniqueItems") else ""
    bounds = f"{least} to {most} " if most else f"at least {least} " if least else ""
    return f"a list of {bounds}{different}items, each {describe(schema.get('items', {}), root=root)}"


def _describe_bounds(schema: Schema) -> str:
    bounds = [f" {sign} {schema[name]}" for name, sign in SIGNS.items() if name in schema]
    return " and".join(bounds)


def _explain_text(value: Any, schema: Schema) -> str:
    """Explain the text that looks like a number."""
    types = {branch.get("type") for branch in (schema, *schema.get("anyOf", ()))}
    if isinstance(value, str) and types & {"number", "integer"}:
        try:
            float(value)
        except ValueError:
            return ""
        return ", which YAML reads as text: write the number without quotes, with a point before an exponent (1.0e-8)"
    return ""


def _plain(value: Any) -> str:
    return format_value(value).strip("'")
