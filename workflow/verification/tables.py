"""The published tables that are made of others, made again of the published summary and baselines, and compared."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workflow.analysis.agreement import Verdict
from workflow.analysis.columns import CONDITION, SUMMARY
from workflow.analysis.derived import DERIVED, derive_whole
from workflow.analysis.findings import evaluate_claims, findings_table
from workflow.analysis.summary import read_csv, write_csv
from workflow.analysis.table_agreement import compare_table, differs
from workflow.configuration.claims import Source, source_of
from workflow.configuration.findings import Findings
from workflow.runs.log import reason
from workflow.verification.publication import REFERENCE, Publication, Row, table

MADE_OF = ("summary", "baselines")
EQUAL = Verdict(True, True, "equal, byte for byte")
SEARCHED = ("device", "task", "lag", "variant", "gradient")
NAMED_BY: Mapping[str, tuple[str, ...]] = {
    "statistics": tuple(CONDITION),
    "comparisons": ("device", "task", "a_model", "a_gradient", "b_model", "b_gradient"),
    "truncation_cost": ("device", "task", "lags", "model", "measure"),
    "surface": tuple(CONDITION),
    "odyssey": SEARCHED,
    "odyssey_importance": SEARCHED,
    "published": ("table", "experiment", *CONDITION, "learning_rate"),
    "findings": ("claim", "check", "group"),
}
"""The columns that name a row."""


def check_tables(published: Publication) -> Iterator[tuple[str, Verdict | None]]:
    """Yield the verdict on each derived table, by name; None for one that the experiment makes and did not publish."""
    experiment = published.experiment
    asked = {"statistics", *experiment.config["tables"], *([] if "search" in experiment.config else ["comparisons"])}
    there = {name for name in (*DERIVED, "findings") if (published.folder / f"{name}.csv").is_file()}
    with tempfile.TemporaryDirectory(prefix="lagbench-verify-") as folder:
        remade = Remade(published, folder=Path(folder))
        for name in DERIVED:
            if name in there or any(name in DERIVED[other].needs for other in there & DERIVED.keys()):
                remade.make(name)
            if name in there or name in asked:
                yield name, remade.verdict(name) if name in there else None
        if "findings" in there:
            yield "findings", remade.verdict_of_findings()


class Remade:
    """The derived tables of a publication as they come out now, each read from its file, as the rules do."""

    def __init__(self, published: Publication, *, folder: Path) -> None:
        self.published = published
        self.folder = folder
        self.frames: dict[str, Any] = {}
        self.failed: dict[str, str] = {}
        for name in MADE_OF:
            self._read(name)

    def make(self, name: str) -> None:
        """Make a table, or take note of why it cannot be made, whatever the reason."""
        lacking = [needed for needed in DERIVED[name].needs if needed not in self.frames]
        try:
            if lacking:
                raise ValueError(f"it is made of {lacking[0]}.csv: {self.failed[lacking[0]]}")
            path = self.folder / f"{name}.csv"
            write_csv(derive_whole(name, self.frames, experiment=self.published.experiment), path)
            self.frames[name] = read_csv(path)
        except Exception as error:
            older = [column for column in SUMMARY if column not in self.frames.get("summary", SUMMARY)]
            self.failed[name] = f"summary.csv has no column {', '.join(older)}" if older else reason(error)

    def verdict(self, name: str) -> Verdict:
        """Compare a table that was made with the published one."""
        if name in self.failed:
            return Verdict(False, False, f"CANNOT BE MADE AGAIN: {self.failed[name]}")
        published, made = (folder / f"{name}.csv" for folder in (self.published.folder, self.folder))
        if published.read_bytes() == made.read_bytes():
            return EQUAL
        try:
            return compare_table(table(published), table(made), key=NAMED_BY[name])
        except ValueError as error:
            return differs([reason(error)])

    def verdict_of_findings(self) -> Verdict:
        """Compare the findings, in those checks that are decided from tables that are published."""
        path = self.folder / "findings.csv"
        try:
            asked = Findings(self.published.experiment)
            tables = self._tables(asked)
            write_csv(findings_table(evaluate_claims(asked.claims, tables=tables, experiment=asked.name)), path)
            published, made = table(self.published.folder / "findings.csv"), table(path)
        except Exception as error:
            return Verdict(False, False, f"CANNOT BE MADE AGAIN: {reason(error)}")
        if path.read_bytes() == (self.published.folder / "findings.csv").read_bytes():
            return EQUAL
        untold = {
            (str(claim["id"]), str(number)): source
            for claim in asked.claims
            for number, check in enumerate(claim["checks"], start=1)
            if (source := source_of(check, experiment=asked.name)) not in tables
            and (source.experiment != asked.name or source.table in asked.made)
        }
        verdict = compare_table(*(_told(rows, untold) for rows in (published, made)), key=NAMED_BY["findings"])
        if not untold:
            return verdict
        names = ", ".join(sorted({"/".join(source) for source in untold.values()}))
        return verdict._replace(says=f"{verdict.says}; {len(untold)} checks left out, for {names} is not published")

    def _read(self, name: str) -> None:
        path = self.published.folder / f"{name}.csv"
        try:
            self.frames[name] = read_csv(path)
        except FileNotFoundError:
            self.failed[name] = "it is not published"
        except Exception as error:
            self.failed[name] = reason(error)

    def _tables(self, asked: Findings) -> dict[Source, Any]:
        """Return the tables that decide the claims and are there; of another experiment those published beside ours."""
        ours, root = self.published.folder, self.published.experiment.root
        found: dict[Source, Any] = {}
        sources = {source_of(check, experiment=asked.name) for claim in asked.claims for check in claim["checks"]}
        for source in {Source(s.experiment, name) for s in sources for name in (s.table, "summary", "statistics")}:
            is_ours = source.experiment == asked.name
            if is_ours and source.table in DERIVED and source.table in asked.made and source.table not in self.frames:
                self.make(source.table)
            folders = [ours] if is_ours else [top / source.experiment for top in (ours.parent, root / REFERENCE)]
            paths = [path for folder in folders if (path := folder / f"{source.table}.csv").is_file()]
            if is_ours and source.table in self.frames:
                found[source] = self.frames[source.table]
            elif paths and not (is_ours and (source.table in DERIVED or source.table not in asked.made)):
                found[source] = read_csv(paths[0])
        return found


def _told(rows: list[Row], untold: Mapping[tuple[str, str], Source]) -> list[Row]:
    """Return the rows of checks that can be decided; of a claim with others not the verdict of the whole."""
    claims = {claim for claim, _ in untold}
    kept = [row for row in rows if (row.get("claim"), row.get("check")) not in untold]
    return [row | {"verdict": "", "condition": ""} if row.get("claim") in claims else row for row in kept]
