"""Adapter of rule findings: tables and claims to the findings, as a table, as Markdown and as a page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from records.writing import write_text
    from workflow.experiment.findings import Source
    from workflow.report.findings_page import format_page
    from workflow.tables.findings import COLUMNS, evaluate_claims, list_findings
    from workflow.tables.schema.columns import set_types
    from workflow.tables.schema.csv_files import read_csv, write_csv

    given, files = snakemake.params, snakemake.output
    tables = {Source(*name): read_csv(Path(p)) for name, p in zip(given.names, snakemake.input.tables, strict=True)}
    findings = evaluate_claims(given.claims, tables=tables, experiment=given.experiment)
    write_csv(set_types(list_findings(findings), COLUMNS), Path(files.table))
    for suffix, path in (("md", files.markdown), ("html", files.page)):
        write_text(Path(path), format_page(findings, experiment=given.experiment, figures=given.figures, suffix=suffix))
