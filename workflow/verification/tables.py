"""Recomputes the published tables that are computed from others, from the published summary and baselines."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from records.log import describe_error
from workflow.experiment.findings import Findings, Source, find_source
from workflow.experiment.tables import list_inputs, list_tables
from workflow.tables import findings
from workflow.tables.schema.columns import set_types
from workflow.tables.schema.computing import compute_table, load_table
from workflow.tables.schema.csv_files import read_csv, write_csv
from workflow.verification.agreement import Verdict
from workflow.verification.publication import REFERENCE, Publication, Row, read_table
from workflow.verification.table_agreement import compare_table, describe_differences

EQUAL = Verdict(True, True, "equal, byte for byte")


def check_tables(published: Publication) -> Iterator[tuple[str, Verdict | None]]:
    """Yield the verdict on each derived table, by name; None for one that the experiment has and did not publish."""
    experiment = published.experiment
    derived = [name for name, file in experiment.registry.tables.items() if file.needs]
    there = {name for name in (*derived, "findings") if (published.folder / f"{name}.csv").is_file()}
    with tempfile.TemporaryDirectory(prefix="lagbench-verify-") as folder:
        recomputed = RecomputedTables(published, folder=Path(folder))
        for name in derived:
            if name in there or name in list_tables(experiment):
                yield name, recomputed.check(name) if name in there else None
        if "findings" in there:
            yield "findings", recomputed.check_findings()


class RecomputedTables:
    """The derived tables of a publication as they are computed now, each read from its file, as the rules do.

    Those that are computed from records are the published ones.
    """

    def __init__(self, published: Publication, *, folder: Path) -> None:
        self.published = published
        self.folder = folder
        self.frames: dict[str, Any] = {}
        self.errors: dict[str, str] = {}

    def load(self, name: str) -> None:
        """Compute or read a table and all that it is computed from, or note why not, whatever the reason."""
        if name in self.frames or name in self.errors:
            return
        experiment = self.published.experiment
        inputs = list_inputs(experiment, name)
        try:
            if experiment.registry.tables[name].needs:
                for table in inputs:
                    self.load(table)
                    if table in self.errors:
                        raise ValueError(f"it is computed from {table}.csv: {self.errors[table]}")
                path = self.folder / f"{name}.csv"
                write_csv(compute_table(name, self.frames, experiment), path)
            else:
                path = self.published.folder / f"{name}.csv"
            self.frames[name] = read_csv(path)
        except FileNotFoundError:
            self.errors[name] = "it is not published"
        except KeyError as error:
            older = [column for column in load_table("summary").COLUMNS if column not in self.frames["summary"]]
            self.errors[name] = f"summary.csv has no column {', '.join(older)}" if older else describe_error(error)
        except Exception as error:
            self.errors[name] = describe_error(error)

    def check(self, name: str) -> Verdict:
        """Compute a table and compare it with the published one."""
        self.load(name)
        if name in self.errors:
            return Verdict(False, False, f"CANNOT BE COMPUTED: {self.errors[name]}")
        published, recomputed = (folder / f"{name}.csv" for folder in (self.published.folder, self.folder))
        if published.read_bytes() == recomputed.read_bytes():
            return EQUAL
        file = load_table(name)
        try:
            return compare_table(read_table(published), read_table(recomputed), key=file.KEY, columns=file.COLUMNS)
        except ValueError as error:
            return describe_differences([describe_error(error)])

    def check_findings(self) -> Verdict:
        """Compare the findings, in those checks that are decided from tables that are published."""
        path, experiment = self.folder / "findings.csv", self.published.experiment
        try:
            claimed = Findings(experiment)
            tables = self._load_sources(claimed)
            write_csv(set_types(findings.compute(tables, experiment), findings.COLUMNS), path)
            published, recomputed = read_table(self.published.folder / "findings.csv"), read_table(path)
        except Exception as error:
            return Verdict(False, False, f"CANNOT BE COMPUTED: {describe_error(error)}")
        if path.read_bytes() == (self.published.folder / "findings.csv").read_bytes():
            return EQUAL
        skipped = {
            (str(claim["id"]), str(number)): source
            for claim in claimed.claims
            for number, check in enumerate(claim["checks"], start=1)
            if (source := find_source(check, experiment=claimed.name)) not in tables
            and (source.experiment != claimed.name or source.table in claimed.available)
        }
        verdict = compare_table(
            *(_drop_checks(rows, skipped) for rows in (published, recomputed)),
            key=findings.KEY,
            columns=findings.COLUMNS,
        )
        if not skipped:
            return verdict
        names = ", ".join(sorted({"/".join(source) for source in skipped.values()}))
        message = f"{verdict.message}; {len(skipped)} checks left out, for {names} is not published"
        return verdict._replace(message=message)

    def _load_sources(self, claimed: Findings) -> dict[Source, Any]:
        """Return the tables that decide the claims and are there."""
        sources = {find_source(check, experiment=claimed.name) for claim in claimed.claims for check in claim["checks"]}
        sources |= {Source(source.experiment, name) for source in sources for name in ("summary", "statistics")}
        tables = {source: self._load_source(source, claimed) for source in sources}
        return {source: table for source, table in tables.items() if table is not None}

    def _load_source(self, source: Source, claimed: Findings) -> Any:
        """Return a table of ours, or of another experiment as it is published next to ours; None if it is not there."""
        if source.experiment == claimed.name:
            if source.table in claimed.available:
                self.load(source.table)
            return self.frames.get(source.table)
        above = (self.published.folder.parent, self.published.experiment.root / REFERENCE)
        paths = (folder / source.experiment / f"{source.table}.csv" for folder in above)
        path = next((path for path in paths if path.is_file()), None)
        return None if path is None else read_csv(path)


def _drop_checks(rows: list[Row], skipped: Mapping[tuple[str, str], Source]) -> list[Row]:
    """Return the rows of checks that can be decided; of a claim with others not the verdict of the whole."""
    claims = {claim for claim, _ in skipped}
    kept = [row for row in rows if (row.get("claim"), row.get("check")) not in skipped]
    return [row | {"verdict": "", "condition": ""} if row.get("claim") in claims else row for row in kept]
