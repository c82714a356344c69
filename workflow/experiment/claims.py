"""The claims: read from their file, and refused in one line."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from workflow.experiment import declarations
from workflow.experiment.errors import refuse, shown, unknown
from workflow.experiment.reading import read
from workflow.experiment.schema import check_plain, check_schema

SCHEMA = Path("workflow", "schemas", "claims.schema.yaml")
KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("flatness", "retained", "factor_per_step", "peak"), ("at",)),
    **dict.fromkeys(("ratio", "difference"), ("over",)),
    "value": (),
    "interval": ("low", "high"),
}
"""The further keys that each kind of measure needs."""


class Source(NamedTuple):
    """A table of an experiment."""

    experiment: str
    table: str


def read_claims(path: str, *, root: Path) -> list[dict[str, Any]]:
    """Read the claims of a file, looked up from the working directory and then from `root`; a mistake is one line."""
    places = [place for place in (Path(path), root / path) if os.path.isfile(place)]
    if not places:
        raise refuse("claims", f"expected a file, of the working directory or beside the code; came {shown(path)}")
    content = read(places[0])
    check_plain(content)
    check_schema(content, schema=read(root / SCHEMA))
    claims: list[dict[str, Any]] = content["claims"]
    known, seen = declarations.figures(root), set()
    for number, claim in enumerate(claims):
        key = f"claims[{number}]"
        if claim["id"] in seen:
            raise refuse(f"{key}.id", f"expected a number of its own; came {claim['id']} twice")
        seen.add(claim["id"])
        if claim["figure"] not in known:
            raise unknown(f"{key}.figure", what="figure", came=claim["figure"], known=known)
        for index, check in enumerate(claim["checks"]):
            _check(f"{key}.checks[{index}]", check)
    return claims


def source_of(check: Mapping[str, Any], *, experiment: str) -> Source:
    """Return the table that a check reads where it is evaluated for an experiment."""
    return Source(check.get("experiment", experiment), check["table"])


def _check(key: str, check: Mapping[str, Any]) -> None:
    measure = check["measure"]
    needed = KEYS[measure["kind"]]
    for name in needed:
        if name not in measure:
            raise refuse(f"{key}.measure.{name}", f"the key is missing; measure {measure['kind']} needs it")
    for name in measure:
        if name not in ("kind", "column", *needed):
            raise refuse(f"{key}.measure.{name}", f"measure {measure['kind']} has no use for it")
    ends = check["rule"].get("within")
    if ends and ends[0] > ends[1]:
        raise refuse(f"{key}.rule.within", f"expected the lower end first; came {ends}")
