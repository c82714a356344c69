"""Recomputes the published tables that are computed from others, from the published summary and baselines."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd

from records.log import describe_error
from workflow.experiment.findings import Findings, Source, find_source
from workflow.experiment.tables import list_inputs, list_tables
from workflow.tables import findings
from workflow.tables.schema.columns import set_types
from workflow.tables.schema.computing import compute_table, load_table
from workflow.tables.schema.csv_files import read_csv, write_csv
from workflow.verification.comparison import Verdict, compare_table, read_table
from workflow.verification.publication import REFERENCE, Publication


def check_tables(published: Publication) -> Iterator[tuple[str, Verdict | None]]:
    """Yield the verdict on each derived table, by name; None for one that the experiment has and did not publish."""
    tables = published.experiment.registry.tables
    with tempfile.TemporaryDirectory(prefix="lagbench-verify-") as folder:
        recomputed = RecomputedTables(published, folder=Path(folder))
        for name in (*(name for name in tables if tables[name].needs), "findings"):
            if (published.folder / f"{name}.csv").is_file():
                yield name, recomputed.check(name)
            elif name in list_tables(published.experiment):
                yield name, None


class RecomputedTables:
    """The derived tables of a publication as they are computed now, each read from its file, as the rules do."""

    def __init__(self, published: Publication, *, folder: Path) -> None:
        self.published = published
        self.folder = folder
        self.frames: dict[str, pd.DataFrame] = {}

    def check(self, name: str) -> Verdict:
        """Compute a table and compare it with the published one; of findings the checks that can be decided."""
        published, recomputed = (folder / f"{name}.csv" for folder in (self.published.folder, self.folder))
        skipped: Mapping[tuple[str, str], Source] = {}
        try:
            if name == "findings":
                skipped = self._compute_findings()
            else:
                self.load(name)
            if published.read_bytes() == recomputed.read_bytes():
                return Verdict(True, True, "equal, byte for byte")
            tables = [_drop_checks(read_table(path), skipped) for path in (published, recomputed)]
        except Exception as error:
            return Verdict(False, False, f"CANNOT BE COMPUTED: {describe_error(error)}")
        file = load_table(name)
        verdict = compare_table(*tables, key=file.KEY, columns=file.COLUMNS)
        if not skipped:
            return verdict
        names = ", ".join(sorted({"/".join(source) for source in skipped.values()}))
        message = f"{verdict.message}; {len(skipped)} checks left out, for {names} is not published"
        return verdict._replace(message=message)

    def load(self, name: str) -> pd.DataFrame:
        """Return a table as it is computed now, or as published if it is not derived; an error says why not."""
        path = self.published.folder / f"{name}.csv"
        if name not in self.frames:
            if self.published.experiment.registry.tables[name].needs:
                path = self.folder / path.name
                write_csv(self._compute(name), path)
            elif not path.is_file():
                raise ValueError("it is not published")
            self.frames[name] = read_csv(path)
        return self.frames[name]

    def _compute(self, name: str) -> pd.DataFrame:
        experiment, inputs = self.published.experiment, {}
        for table in list_inputs(experiment, name):
            try:
                inputs[table] = self.load(table)
            except Exception as error:
                raise ValueError(f"it is computed from {table}.csv: {describe_error(error)}") from None
        try:
            return compute_table(name, inputs, experiment)
        except KeyError:
            older = [column for column in load_table("summary").COLUMNS if column not in self.load("summary")]
            if not older:
                raise
            raise ValueError(f"summary.csv has no column {', '.join(older)}") from None

    def _compute_findings(self) -> dict[tuple[str, str], Source]:
        """Write the findings, and return the checks (claim, number) whose table is not published, with that table."""
        claimed = Findings(self.published.experiment)
        checks = {
            (str(claim["id"]), str(number)): find_source(check, experiment=claimed.name)
            for claim in claimed.claims
            for number, check in enumerate(claim["checks"], start=1)
        }
        sources = {Source(source.experiment, name) for source in checks.values() for name in ("summary", "statistics")}
        sources |= set(checks.values())
        tables = {source: table for source in sources if (table := self._load_source(source, claimed)) is not None}
        rows = findings.compute(tables, claimed.experiment)
        write_csv(set_types(rows, findings.COLUMNS), self.folder / "findings.csv")
        return {
            check: source
            for check, source in checks.items()
            if source not in tables and (source.experiment != claimed.name or source.table in claimed.available)
        }

    def _load_source(self, source: Source, claimed: Findings) -> pd.DataFrame | None:
        """Return a table of ours, or of another experiment as it is published next to ours; None if it is not there."""
        if source.experiment == claimed.name:
            with suppress(Exception):
                return self.load(source.table) if source.table in claimed.available else None
            return None
        above = (self.published.folder.parent, claimed.experiment.root / REFERENCE)
        paths = (folder / source.experiment / f"{source.table}.csv" for folder in above)
        path = next((path for path in paths if path.is_file()), None)
        return None if path is None else read_csv(path)


def _drop_checks(table: pd.DataFrame, skipped: Mapping[tuple[str, str], Source]) -> pd.DataFrame:
    """Return the rows of checks that can be decided; of a claim with others not the verdict of the whole."""
    if skipped:
        is_skipped = [check in skipped for check in zip(table["claim"], table["check"], strict=True)]
        in_part = table["claim"].isin({claim for claim, _ in skipped})
        table = table.assign(**{column: table[column].mask(in_part, "") for column in ("verdict", "condition")})
        table = table[~pd.Series(is_skipped, index=table.index)]
    return table
