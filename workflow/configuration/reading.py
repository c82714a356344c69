"""Reading a configuration file strictly: a syntax error or a key given twice is told in one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from workflow.configuration.refusal import ConfigurationError, printable


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, which YAML readers let pass in silence."""

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
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise ConfigurationError(f"config: {path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"config: {path}{_reason(error)}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"config: {path}: expected a mapping of keys; came {type(content).__name__}")
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


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return printable(f", line {mark.line + 1}, column {mark.column + 1}: {error.problem or error.context}")
    return printable(f": not valid YAML: {error}".splitlines()[0])
