"""The published tables that are made of others, made again of the published summary and baselines, and compared."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from records.log import describe_error
from workflow.experiment.claims import Source, source_of
from workflow.experiment.findings import Findings
from workflow.tables.columns import CONDITION, SUMMARY
from workflow.tables.derived import DERIVED, derive_whole
from workflow.tables.findings import evaluate_claims, findings_table
from workflow.tables.summary import read_csv, write_csv
from workflow.verification.agreement import Verdict
from workflow.verification.publication import REFERENCE, Publication, Row, read_table
from workflow.verification.table_agreement import compare_table, describe_differences

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
        """Make a table and what it is made of, or take note of why it cannot be made, whatever the reason."""
        if name in self.frames or name in self.failed:
            return
        for needed in DERIVED[name].needs:
            if needed in DERIVED:
                self.make(needed)
        try:
            for needed in DERIVED[name].needs:
                if needed not in self.frames:
                    raise ValueError(f"it is made of {needed}.csv: {self.failed[needed]}")
            path = self.folder / f"{name}.csv"
            write_csv(derive_whole(name, self.frames, experiment=self.published.experiment), path)
            self.frames[name] = read_csv(path)
        except KeyError as error:
            older = ", ".join(column for column in SUMMARY if column not in self.frames["summary"])
            self.failed[name] = f"summary.csv has no column {older}" if older else describe_error(error)
        except Exception as error:
            self.failed[name] = describe_error(error)

    def verdict(self, name: str) -> Verdict:
        """Make a table and compare it with the published one."""
        self.make(name)
        if name in self.failed:
            return Verdict(False, False, f"CANNOT BE MADE AGAIN: {self.failed[name]}")
        published, made = (folder / f"{name}.csv" for folder in (self.published.folder, self.folder))
        if published.read_bytes() == made.read_bytes():
            return EQUAL
        try:
            return compare_table(read_table(published), read_table(made), key=NAMED_BY[name])
        except ValueError as error:
            return describe_differences([describe_error(error)])

    def verdict_of_findings(self) -> Verdict:
        """Compare the findings, in those checks that are decided from tables that are published."""
        path = self.folder / "findings.csv"
        try:
            asked = Findings(self.published.experiment)
            tables = self._tables(asked)
            write_csv(findings_table(evaluate_claims(asked.claims, tables=tables, experiment=asked.name)), path)
            published, made = read_table(self.published.folder / "findings.csv"), read_table(path)
        except Exception as error:
            return Verdict(False, False, f"CANNOT BE MADE AGAIN: {describe_error(error)}")
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
        return verdict._replace(
            message=f"{verdict.message}; {len(untold)} checks left out, for {names} is not published"
        )

    def _read(self, name: str) -> None:
        path = self.published.folder / f"{name}.csv"
        try:
            self.frames[name] = read_csv(path)
        except FileNotFoundError:
            self.failed[name] = "it is not published"
        except Exception as error:
            self.failed[name] = describe_error(error)

    def _tables(self, asked: Findings) -> dict[Source, Any]:
        """Return the tables that decide the claims and are there."""
        sources = {source_of(check, experiment=asked.name) for claim in asked.claims for check in claim["checks"]}
        sources |= {Source(of.experiment, name) for of in sources for name in ("summary", "statistics")}
        found = {source: self._table(source, asked) for source in sources}
        return {source: frame for source, frame in found.items() if frame is not None}

    def _table(self, source: Source, asked: Findings) -> Any:
        """Return a table of ours, or of another experiment as it is published beside ours; None if it is not there."""
        folders = [self.published.folder]
        if source.experiment != asked.name:
            above = (self.published.folder.parent, self.published.experiment.root / REFERENCE)
            folders = [folder / source.experiment for folder in above]
        elif source.table not in asked.made:
            return None
        elif source.table in DERIVED:
            self.make(source.table)
            return self.frames.get(source.table)
        paths = (folder / f"{source.table}.csv" for folder in folders)
        path = next((path for path in paths if path.is_file()), None)
        return None if path is None else read_csv(path)


def _told(rows: list[Row], untold: Mapping[tuple[str, str], Source]) -> list[Row]:
    """Return the rows of checks that can be decided; of a claim with others not the verdict of the whole."""
    claims = {claim for claim, _ in untold}
    kept = [row for row in rows if (row.get("claim"), row.get("check")) not in untold]
    return [row | {"verdict": "", "condition": ""} if row.get("claim") in claims else row for row in kept]
