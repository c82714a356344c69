"""Adapter of rule findings: tables and claims to the findings, as a table, as Markdown and as a page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from records.log import log_errors

with log_errors(snakemake.log[0]):
    from records.writing import write_text
    from workflow.experiment.claims import Source
    from workflow.report.findings_page import markdown, page
    from workflow.tables.findings import evaluate_claims, findings_table
    from workflow.tables.summary import read_csv, write_csv

    asked, files = snakemake.params, snakemake.output
    tables = {Source(*name): read_csv(Path(p)) for name, p in zip(asked.names, snakemake.input.tables, strict=True)}
    found = evaluate_claims(asked.claims, tables=tables, experiment=asked.experiment)
    write_csv(findings_table(found), Path(files.table))
    for write, path in ((markdown, files.markdown), (page, files.page)):
        write_text(Path(path), write(found, experiment=asked.experiment, figures=asked.figures))
