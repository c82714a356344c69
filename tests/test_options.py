"""The values that the conformance suites draw are ones that a configuration may have."""

import pytest
from jsonschema import Draft202012Validator

from tests.options import combinations, values

SCHEMAS = [
    {"type": "boolean"},
    {"enum": ["a", 2]},
    {"const": "chrono"},
    {"anyOf": [{"type": "number"}, {"const": "chrono"}]},
    {"type": "number"},
    {"type": "number", "exclusiveMinimum": 0},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 0.6},
    {"type": "integer", "minimum": 1},
    {"type": "integer", "minimum": 2, "maximum": 2},
    {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_values_are_legal_and_different(schema: dict) -> None:
    sampled = values(schema)
    assert sampled
    assert len({repr(value) for value in sampled}) == len(sampled)
    assert all(Draft202012Validator(schema).is_valid(value) for value in sampled)


def test_combinations_are_all_of_them() -> None:
    actual = list(combinations({"a": {"type": "boolean"}, "b": {"type": "integer", "minimum": 1}}))
    assert actual == [{"a": a, "b": b} for a in (False, True) for b in (1, 2)]
