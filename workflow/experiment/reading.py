"""Reading a configuration file strictly: what is no YAML, stands twice or explodes is told in one line."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from records.log import printable
from workflow.experiment.errors import ConfigurationError, shown

MOST = 1_000_000
"""Values of a file, aliases written out: no configuration has as many, and a few lines of aliases can have more."""
TEMPLATE = "__use_yte__"
"""The key that lets Snakemake run the Python expressions of a file."""


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, which others let pass in silence, and says where it fails."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:  # 2024-13-01, !!bool x
            why = f"expected a value of type {node.tag.rpartition(':')[2]}; came {_shown(node)}"
            raise yaml.constructor.ConstructorError(None, None, why, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice in one mapping", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def read(path: Path) -> dict[str, Any]:
    """Read a YAML (or JSON) file; any mistake is a ConfigurationError with file and line."""
    named = printable(str(path))
    try:
        if path.exists() and not path.is_file():  # a device or a pipe has no end, or is gone when it is read again
            raise ConfigurationError(f"config: {named}: expected a regular file")
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except ConfigurationError:
        raise
    except OSError as error:
        raise ConfigurationError(f"config: {named}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"config: {named}{_reason(error)}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"config: {named}: expected a mapping of keys; came {type(content).__name__}")
    if TEMPLATE in content:
        raise ConfigurationError(f"config: {named}: {TEMPLATE}: expected data, no expressions to run")
    for key, value in content.items():
        if _size(value, sizes={}) > MOST:
            why = f"expected at most {MOST} values, aliases written out; came more, or an alias that contains itself"
            raise ConfigurationError(f"config: {named}: {printable(str(key))}: {why}")
    return content


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two configurations: mappings key by key, anything else is replaced (as Snakemake merges config files)."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def _size(value: Any, *, sizes: dict[int, float]) -> float:
    """Count the values of a value, each alias anew; one that contains itself has infinitely many."""
    if not isinstance(value, dict | list | tuple | set):
        return 1
    if id(value) not in sizes:
        sizes[id(value)] = math.inf  # until it is known: whoever meets it below is inside
        below = value.values() if isinstance(value, dict) else value
        sizes[id(value)] = 1 + sum(_size(part, sizes=sizes) for part in below)
    return sizes[id(value)]


def _shown(node: yaml.Node) -> str:
    return shown(node.value) if isinstance(node, yaml.ScalarNode) else "several"


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return printable(f", line {mark.line + 1}, column {mark.column + 1}: {error.problem or error.context}")
    if isinstance(error, RecursionError):
        return ": nests too deep"
    return printable(f": not valid YAML: {error}".splitlines()[0])
