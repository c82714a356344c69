"""Mutated configurations: one mistake somewhere in a sound one, as a value, as a key or in the YAML itself."""

import copy
import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hypothesis import strategies as st

from workflow.experiment.experiment import complete
from workflow.experiment.reading import read

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("default", "smoke", "gradients", "odyssey", "hochreiter1997", "horizon")
SOUND = {name: complete(read(ROOT / "config" / f"{name}.yaml"), root=ROOT) for name in NAMES}

SHELL = ["$(touch canary)", "`touch canary`", "; touch canary;", "' ; touch canary '", '" ; touch canary "']
BRACES = ["{lag}", "{wildcards.lag}", "{{x}}", "{config[seeds]}", "{", "}", "%s", "%(x)s"]
SIGNS = [
    "*",
    "?",
    "[a]",
    "!",
    "|",
    "&",
    "~",
    "-rf",
    "..",
    ".",
    "a/b",
    "a\\b",
    "a,b",
    "a=b",
    "cpu|cuda",
    "(?!)",
    "a+",
    "<<",
    "=",
    "con",
    "__class__",
    "seeds=0-2",
    "lag=3",
]
VALUES = ["yes", "no", "null", "~", "1e3", "1e-8", "0x10", "nan", "NaN", "2024-01-01", "1:30"]
UNICODE = ["\u00e9", "e\u0301", "\U0001f600", "\u0639\u0631", "\u202eabc", "\u200b", "\uff10"]
BLANKS = ["", " ", "a b", "\t", "a\nb", "\n touch canary", "a\x00b"]
NASTY_TEXT = ["../../escaped", "/tmp/escaped", "a" * 300, *SHELL, *BRACES, *SIGNS, *VALUES, *UNICODE, *BLANKS]
NASTY_NUMBERS = [
    *(0, -1, 1, 0.5, -0.0, 1e-320, 1e308, -1e308, 2**31, 2**32, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30, 10**400),
    *(float("nan"), float("inf"), float("-inf"), 1e3, 65, 1_000_001),
]
ODD = [None, True, False, [], {}, [[]], [{}], {"a": 1}, {1: 2}, {None: 1}, [None], b"\x00", datetime.date(2024, 1, 1)]
TAGS = [
    "&a",
    "*a",
    "!!binary",
    "!!set",
    "!!bool",
    "!!int",
    "!!timestamp",
    "!!float",
    "!!str",
    "!!omap",
    "!t",
    "?",
    "-",
    ":",
    "<<:",
]
SNIPPETS = [
    *(f"{tag} " for tag in TAGS),
    *("[", "]", "{", "}", "'", '"', "\t", "\n", "\x07", "---\n", "...\n", "%YAML 9\n", "|\n", ">\n", "#", "\ufeff"),
    *("\u2028", "2024-13-45", "0x", "0b_", ".inf", ".nan", "seeds: [0]\n", "experiment: x\n"),
    *("__use_yte__: true\n", "?__import__('os')", "!!python/object/apply:os.system [touch canary] "),
]


class Mutant(NamedTuple):
    """A mutated configuration as the text of a file, and the key whose value was replaced, if that is what was done."""

    text: str
    key: str | None


def scalars() -> st.SearchStrategy[Any]:
    """Draw text and numbers that somebody may write where something else belongs."""
    return st.one_of(
        st.sampled_from(NASTY_TEXT), st.sampled_from(NASTY_NUMBERS), st.text(max_size=20), st.integers(), st.floats()
    )


def junk() -> st.SearchStrategy[Any]:
    """Draw anything that YAML can say."""
    labels = st.one_of(st.sampled_from(NASTY_TEXT), st.text(max_size=5))
    nested = st.recursive(
        scalars(), lambda below: st.lists(below, max_size=3) | st.dictionaries(labels, below, max_size=3), max_leaves=6
    )
    return st.one_of(st.sampled_from(ODD), scalars(), nested)


@st.composite
def mutants(draw: st.DrawFn) -> Mutant:
    """Draw a sound configuration with one mistake, or with text gone wrong."""
    config = copy.deepcopy(SOUND[draw(st.sampled_from(NAMES))])
    places = list(_places(config))
    keys = draw(st.sampled_from(places))
    holder, last = _holder(config, keys)
    kind = draw(
        st.sampled_from(["value", "value", "missing", "misspelt", "more", "elsewhere", "listed", "text", "twice"])
    )
    if kind == "value":
        holder[last] = draw(junk())
    elif kind == "missing":
        del holder[last]
    elif kind == "misspelt" and isinstance(holder, dict):
        name = draw(st.sampled_from([str(last)[:-1], f"{last}s", str(last).upper(), *NASTY_TEXT]))
        holder[name] = holder.pop(last)
    elif kind == "more" and isinstance(holder, dict):
        holder[draw(st.one_of(st.sampled_from(NASTY_TEXT), st.text(), st.integers(), st.none()))] = draw(junk())
    elif kind == "elsewhere":
        other, name = _holder(config, draw(st.sampled_from(places)))
        holder[last] = copy.deepcopy(other[name])
    elif kind == "listed":
        holder[last] = [holder[last]] * draw(st.integers(1, 2))
    text = yaml.dump(config, allow_unicode=draw(st.booleans()), sort_keys=False)
    if kind == "text":
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(st.sampled_from(SNIPPETS)) + text[start + draw(st.integers(0, 9)) :]
    if kind == "twice":
        text += yaml.safe_dump({keys[0]: config.get(keys[0], 1)})
    return Mutant(text, next(key for key in reversed(keys) if isinstance(key, str)) if kind == "value" else None)


def _places(value: Any, *, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*above, key)
        yield from _places(below, above=(*above, key))


def _holder(config: Any, keys: tuple[str | int, ...]) -> tuple[Any, Any]:
    for key in keys[:-1]:
        config = config[key]
    return config, keys[-1]
