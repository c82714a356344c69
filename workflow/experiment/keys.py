"""Validation of the keys of a mapping by a pydantic model, and its first mistake in one line."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union

from pydantic import Field, ValidationError, create_model

from workflow.experiment.configuration import LABEL, Keys
from workflow.experiment.errors import ConfigurationError, format_names, format_value, make_error, suggest_nearest

WORDS = {"integer": "an integer", "number": "a number", "string": "text", "boolean": "true or false", "null": "null"}
SIGNS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
TYPES = {"integer": int, "number": float, "string": str, "boolean": bool, "null": None, "object": dict[str, Any]}
BOUNDS = {
    **{"minimum": "ge", "exclusiveMinimum": "gt", "maximum": "le", "exclusiveMaximum": "lt"},
    **{"pattern": "pattern", "minItems": "min_length", "maxItems": "max_length"},
}
"""Pydantic's words for those of a JSON schema."""
TEXT = ", which YAML reads as text: write the number without quotes, with a point before an exponent (1.0e-8)"

Model = TypeVar("Model", bound=Keys)
Schema = Mapping[str, Any]


def validate_keys(value: Any, *, model: type[Model], key: str = "") -> Model:
    """Return the model of a value; an unknown key is reported before the missing one that it was meant to be."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=lambda mistake: mistake["type"] != "extra_forbidden")
        raise _explain(first, root=model.model_json_schema(), key=key) from error


def add_options(base: type[Model], options: Mapping[str, Schema], *, key: str) -> type[Model]:
    """Return a model with the keys of `base` and the options that a file declares, all of which are required."""
    fields = {}
    for name, schema in options.items():
        try:
            kind = _build_type(schema)
        except (KeyError, TypeError) as error:
            expected = f"a type of {format_names(TYPES)}, enum or anyOf"
            raise make_error(
                f"{key}.{name}", f"its file declares {format_value(schema)}; expected {expected}"
            ) from error
        fields[f"option_{name}"] = (kind, Field(alias=name))  # no method's name
    quick = {"use_attribute_docstrings": False}  # else pydantic would look for the source of every key
    return create_model(base.__name__, __base__=base, __cls_kwargs__=quick, **fields)  # type: ignore[call-overload]


def describe(schema: Schema, *, root: Schema) -> str:
    """Write in words what a JSON schema allows."""
    schema = _resolve(schema, root=root)
    kind = schema.get("type")
    if "expected" in schema:
        return str(schema["expected"])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return f"one of {format_names(schema['enum'])}"
    if "anyOf" in schema:
        return " or ".join(describe(branch, root=root) for branch in schema["anyOf"])
    if kind == "object":
        keys = f" with the keys {format_names(schema['properties'])}" if "properties" in schema else ""
        return f"a mapping{keys}"
    if kind == "array":
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        size = f"{least} to {most} " if most else f"at least {least} " if least else ""
        different = "different " if schema.get("uniqueItems") else ""
        return f"a list of {size}{different}items, each {describe(schema['items'], root=root)}"
    bounds = [f" {sign} {schema[name]}" for name, sign in SIGNS.items() if name in schema]
    return f"{WORDS.get(str(kind), 'another value')}{' and'.join(bounds)}"


def _explain(mistake: Mapping[str, Any], *, root: Schema, key: str) -> ConfigurationError:
    """Return the error of a mistake as pydantic describes it; its `loc` may end in the name of a branch of a union."""
    *above, last = mistake["loc"]
    kind, value, schema, parts = mistake["type"], mistake["input"], root, [key] if key else []
    if last == "[key]":
        return make_error(_join_keys([*parts, *above[:-1], value]), f"expected {LABEL}; came {format_value(value)}")
    for part in above:
        schema = _find_below(schema, part, root=root) or schema
        parts.append(part)
    if kind == "extra_forbidden":
        names = [name for branch in _list_branches(schema, root=root) for name in branch.get("properties", ())]
        reason = f"unknown key; known: {format_names(names)}{suggest_nearest(last, names=names)}"
        return make_error(_join_keys([*parts, last or "''"]), reason)
    if below := _find_below(schema, last, root=root):
        schema, parts = below, [*parts, last]
    expected = describe(schema, root=root)
    if kind == "missing":
        return make_error(_join_keys(parts), f"the key is missing; expected {expected}")
    if kind == "value_error":
        return make_error(_join_keys(parts), str(mistake["ctx"]["error"]))
    branches = _list_branches(schema, root=root)
    is_text = any(branch.get("type") in ("integer", "number") for branch in branches) and _is_number_as_text(value)
    hint = TEXT if is_text else suggest_nearest(value, names=[str(n) for b in branches for n in b.get("enum", ())])
    return make_error(_join_keys(parts), f"expected {expected}; came {format_value(value)}{hint}")


def _join_keys(parts: Iterable[str | int]) -> str:
    """Join the parts of a key: grid[0].tasks."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text and part else part
    return text


def _resolve(schema: Schema, *, root: Schema) -> Schema:
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    return root["$defs"][name] if name else schema


def _list_branches(schema: Schema, *, root: Schema) -> list[Schema]:
    """Return what a schema allows one of: the branches of a union, or the schema itself."""
    schema = _resolve(schema, root=root)
    return [_resolve(branch, root=root) for branch in schema.get("anyOf", [schema])]


def _find_below(schema: Schema, part: str | int, *, root: Schema) -> Schema | None:
    """Return the schema of an item or a key of what a schema describes, or None if that has none."""

    for branch in _list_branches(schema, root=root):
        own = branch.get("items") if isinstance(part, int) else branch.get("properties", {}).get(part)
        for below in (own, *branch.get("patternProperties", {}).values(), branch.get("additionalProperties")):
            if isinstance(below, Mapping):
                return below
    return None


def _is_number_as_text(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


def _build_type(schema: Schema) -> Any:
    """Return the type that a JSON schema describes."""
    if "anyOf" in schema:
        return Union[tuple(map(_build_type, schema["anyOf"]))]  # noqa: UP007
    if "enum" in schema or "const" in schema:
        return Literal[tuple(schema.get("enum", [schema.get("const")]))]
    kind: Any = list[_build_type(schema["items"])] if schema["type"] == "array" else TYPES[schema["type"]]  # type: ignore[misc]
    words = {"expected": schema["title"]} if "title" in schema else None
    bounds = {BOUNDS[name]: value for name, value in schema.items() if name in BOUNDS}
    return Annotated[kind, Field(json_schema_extra=words, **bounds)]
