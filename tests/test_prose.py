"""The documents that users read: short paragraphs, plain words, and no path that leads nowhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "config/*.md", "results/*.md", "workflow/profiles/*/*.md")
    for path in ROOT.glob(pattern)
)
PRIVATE = r"\b(told|beside|besides|refusal|dissect\w*|taken apart|the rest|wanted|drawn)\b"
"""Words that have plain ones: reported, next to, validation error, decompose, requested, sampled or plotted."""
PATHS = r"`((?:config|docs|results/reference|tests|workflow|models|tasks|training)/[\w/.-]+)`|\]\(([\w/.-]+)\)"


def read_prose(path: Path) -> str:
    """Return a document without code blocks and generated sections."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"```.*?```|<!-- begin .*?<!-- end \w+ -->", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_have_short_paragraphs_plain_words_and_paths_that_exist(path: Path) -> None:
    prose = read_prose(path)
    for paragraph in re.split(r"\n\s*\n|\n(?= *(?:[-|]|\d\.) )", prose):
        lines = [line for line in paragraph.splitlines() if not line.startswith("    ")]
        assert len(lines) <= 5, f"split or shorten the paragraph that begins: {lines[0]}"
    assert not (words := re.findall(PRIVATE, prose)), f"use plain words instead of {words}"
    for written, linked in re.findall(PATHS, prose):
        place = ROOT / written if written else path.parent / linked
        assert "recipes" in written or place.exists(), f"{written or linked} is not there"
