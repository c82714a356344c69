"""The claims: read from their file, refused in one line, and where the tables that decide them lie."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from workflow.configuration import declarations
from workflow.configuration.reading import read
from workflow.configuration.refusal import refuse, unknown
from workflow.configuration.schema import check_plain, check_schema

SCHEMA = Path("workflow", "schemas", "claims.schema.yaml")
OWN = ("constructed", "derivatives")
"""Tables that rule findings makes for every experiment."""
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
    file = next((place for place in (Path(path), root / path) if place.is_file()), Path(path))
    content = read(file)
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


def sources(claims: list[dict[str, Any]], *, experiment: str, made: Collection[str]) -> list[Source]:
    """List the tables that the claims read, each once: the experiment's own where it makes them."""
    found = (source_of(check, experiment=experiment, made=made) for claim in claims for check in claim["checks"])
    return list(dict.fromkeys(found))


def source_of(check: Mapping[str, Any], *, experiment: str, made: Collection[str]) -> Source:
    """Return the table that a check reads in an experiment that makes the tables `made`."""
    return Source(experiment if check["table"] in made else check["experiment"], check["table"])


def table_files(
    wanted: list[Source], *, experiment: str, results: str, made: Collection[str], root: Path
) -> dict[Source, str]:
    """Return the files of the tables that the experiment makes or that are there, with the summary beside each.

    Another experiment's tables are looked for in results/<experiment>/ and results/reference/<experiment>/ of the
    working directory, then in those of `root`.
    """
    files = {Source(experiment, "summary"): f"{results}/summary.csv"}
    for source in wanted:
        if source.experiment == experiment and source.table in made:
            files[source] = f"{results}/{source.table}.csv"
        elif folder := next(_folders(source, root=root), None):
            files[source] = f"{folder}/{source.table}.csv"
            if (folder / "summary.csv").is_file():
                files.setdefault(Source(source.experiment, "summary"), f"{folder}/summary.csv")
    return files


def figure_files(
    claims: list[dict[str, Any]], *, figures: str, made: Collection[str], root: Path
) -> dict[str, str]:
    """Return the pictures that show the claims, of the figures whose tables the experiment makes."""
    names = dict.fromkeys(claim["figure"] for claim in claims)
    return {name: f"{figures}/{name}.png" for name in names if set(declarations.tables(root, name)) <= set(made)}


def _folders(source: Source, *, root: Path) -> Iterator[Path]:
    for top in (Path("results"), Path("results", "reference"), root / "results", root / "results" / "reference"):
        if (top / source.experiment / f"{source.table}.csv").is_file():
            yield top / source.experiment


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
