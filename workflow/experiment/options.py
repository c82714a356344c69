"""The options that a file declares as part of a pydantic model."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, Union

from pydantic import Field, create_model

from workflow.experiment.configuration import Keys
from workflow.experiment.declarations import Declaration
from workflow.experiment.errors import format_names, format_value, make_error

TYPES = {"integer": int, "number": float, "string": str, "boolean": bool, "null": None, "object": dict[str, Any]}
BOUNDS = {
    **{"minimum": "ge", "exclusiveMinimum": "gt", "maximum": "le", "exclusiveMaximum": "lt"},
    **{"pattern": "pattern", "minItems": "min_length", "maxItems": "max_length"},
}

Model = TypeVar("Model", bound=Keys)


def add_options(base: type[Model], declaration: Declaration, *, key: str) -> type[Model]:
    """Return a model with the keys of `base` and the declared options, all of which are required."""
    fields = {}
    for name, schema in declaration.options.items():
        try:
            kind = build_type(schema)
        except (KeyError, TypeError) as error:
            reason = (
                f"its file declares {format_value(schema)}; expected a type of {format_names(TYPES)}, enum or anyOf"
            )
            raise make_error(f"{key}.{name}", reason) from error
        fields[f"option_{name}"] = (kind, Field(alias=name, description=schema.get("description")))  # no method's name
    return create_model(base.__name__, __base__=base, __doc__=base.__doc__, **fields)  # type: ignore[call-overload]


def build_type(schema: Mapping[str, Any]) -> Any:
    """Return the type that a JSON schema describes."""
    if "anyOf" in schema:
        return Union[tuple(build_type(branch) for branch in schema["anyOf"])]  # noqa: UP007
    if "enum" in schema or "const" in schema:
        return Literal[tuple(schema.get("enum", [schema.get("const")]))]
    kind: Any = list[build_type(schema["items"])] if schema["type"] == "array" else TYPES[schema["type"]]  # type: ignore[misc]
    words = {"expected": schema["title"]} if "title" in schema else None
    bounds = {BOUNDS[name]: value for name, value in schema.items() if name in BOUNDS}
    return Annotated[kind, Field(json_schema_extra=words, **bounds)]
