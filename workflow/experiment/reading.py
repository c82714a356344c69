"""Reading of configuration files: no YAML, a key given twice, a number of YAML 1.1 alone are errors of one line."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from records.log import printable
from workflow.experiment.errors import ConfigurationError, format_value, make_error

MOST = 1_000_000
"""Values of a file, aliases written out: no configuration has as many, and a few lines of aliases can have more."""
TEMPLATE = "__use_yte__"
"""The key that lets Snakemake run the Python expressions of a file."""
YAML_1_1 = re.compile(r"[-+]?(0[0-9_]+|0b[01_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
"""Numbers that YAML 1.2 reads differently: 010 is 8 in YAML 1.1, and 1:30 is 90."""


class _Loader(yaml.SafeLoader):
    """A safe loader that rejects what others read in silence, and names the line of what it cannot read."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:  # 2024-13-01, !!bool x
            came = format_value(node.value) if isinstance(node, yaml.ScalarNode) else "several"
            _fail(node, f"expected a value of type {node.tag.rpartition(':')[2]}; came {came}", cause=error)
        if isinstance(value, int | float) and isinstance(node, yaml.ScalarNode) and YAML_1_1.fullmatch(node.value):
            _fail(node, f"expected a number as YAML 1.2 has it; came {node.value}, which YAML 1.1 reads as {value}")
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in keys:
                    _fail(key, f"the key {key.value!r} stands twice in one mapping")
                keys.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _fail(node: yaml.Node, reason: str, *, cause: Exception | None = None) -> NoReturn:
    raise yaml.constructor.ConstructorError(None, None, reason, node.start_mark) from cause


def read(path: Path) -> dict[str, Any]:
    """Read a YAML (or JSON) file; any mistake is a ConfigurationError with file and line."""
    name = str(path)
    try:
        is_special = path.exists() and not path.is_file()  # a device or a pipe has no end, or is gone when read again
        text = "" if is_special else path.read_text(encoding="utf-8")
    except OSError as error:
        raise make_error(name, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise make_error(name, f"not valid YAML: {error}") from error
    if is_special:
        raise make_error(name, "expected a regular file")
    content = _load(text, name=printable(name))
    if not isinstance(content, dict):
        raise make_error(name, f"expected a mapping of keys; came {type(content).__name__}")
    if TEMPLATE in content:
        raise make_error(name, f"{TEMPLATE}: expected data, no expressions to run")
    for key, value in content.items():
        if _count_values(value, counts={}) > MOST:
            why = f"expected at most {MOST} values, aliases written out; came more, or an alias that contains itself"
            raise make_error(name, f"{key}: {why}")
    return content


def read_scalar(text: str) -> Any:
    """Read a text as the number, true, false or null that YAML takes it for; any other is that text."""
    value = _load(text, name=format_value(text))
    return value if isinstance(value, int | float | None) else text


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two configurations: mappings key by key, anything else is replaced (as Snakemake merges config files)."""
    merged = dict(base)
    for key, value in over.items():
        below = base.get(key)
        is_mapping = isinstance(value, Mapping)
        merged[key] = merge(below if isinstance(below, Mapping) else {}, value) if is_mapping else value
    return merged


def _load(text: str, *, name: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark, reason = error.problem_mark, printable(str(error.problem or error.context))
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(f"config: {name}{place}: {reason}") from error
    except RecursionError as error:
        raise ConfigurationError(f"config: {name}: nests too deep") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(printable(f"config: {name}: not valid YAML: {error}".splitlines()[0])) from error


def _count_values(value: Any, *, counts: dict[int, float]) -> float:
    """Count the values of a value, each alias anew; one that contains itself has infinitely many."""
    if not isinstance(value, dict | list | tuple | set):
        return 1
    if id(value) not in counts:
        counts[id(value)] = math.inf  # until it is known: whoever meets it below is inside
        below = value.values() if isinstance(value, dict) else value
        counts[id(value)] = 1 + sum(_count_values(part, counts=counts) for part in below)
    return counts[id(value)]
