"""Documentation that is generated: the part of a Markdown file between two marks, from what code declares."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from workflow.experiment.describing import describe_keys, describe_options
from workflow.tables.schema.describing import describe_tables

SECTIONS: Mapping[tuple[str, str], Callable[[Path], str]] = {
    ("config/README.md", "keys"): describe_keys,
    ("config/README.md", "options"): describe_options,
    ("results/README.md", "tables"): describe_tables,
}
"""Per file and name of a section what writes it; `<!-- begin tables -->` and `<!-- end tables -->` mark it."""


def update_documents(root: Path) -> list[str]:
    """Write every generated section anew, and return the files that have changed."""
    changed = []
    for (name, section), describe in SECTIONS.items():
        path = root / name
        before = path.read_text(encoding="utf-8")
        after = replace_section(before, section, describe(root))
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(name)
    return changed


def replace_section(text: str, section: str, content: str) -> str:
    """Return a text with the section replaced; one without its marks is a ValueError."""
    begin, end = f"<!-- begin {section}: generated, see `python -m workflow document` -->", f"<!-- end {section} -->"
    if begin not in text or end not in text:
        raise ValueError(f"expected the marks {begin} and {end}; found none")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n\n{content.strip()}\n\n{end}", text)
