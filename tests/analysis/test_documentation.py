"""results/README.md explains every column of every table."""

import re
from pathlib import Path

import pytest

from workflow.tables import columns

TEXT = Path("results", "README.md").read_text()

MEASURED = ["SNAPSHOTS", "GRADIENT_VERSUS_LAG", "PATH_SHARES", "ATTRIBUTION", "ALIGNMENT", "TRUNCATION_COST"]
TABLES = ["SUMMARY", "STATISTICS", "COMPARISONS", "CURVES", "ODYSSEY", "IMPORTANCE", "PUBLISHED"]
TABLES += ["DERIVATIVES", "CONSTRUCTED", "FINDINGS", "COVERAGE", *MEASURED]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_explained(table: str) -> None:
    explained = set(re.findall(r"`(\w+)`", TEXT))
    assert set(getattr(columns, table)) <= explained
