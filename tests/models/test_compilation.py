"""Where the fused kernel's machine code is kept: never code of other sources, never nowhere."""

import re
import shutil
from pathlib import Path

import numba
import pytest

from models.kernels import compilation


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the kernel's sources that the cache folder is named after."""
    here = tmp_path / "kernels"
    shutil.copytree(compilation.HERE, here, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(compilation, "HERE", here)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    compilation.cache_folder.cache_clear()
    yield here
    compilation.cache_folder.cache_clear()


def folder() -> Path:
    compilation.cache_folder.cache_clear()
    return Path(compilation.cache_folder())


@pytest.mark.parametrize("name", compilation.SOURCES)
def test_a_change_of_any_source_gives_another_folder(sources: Path, name: str) -> None:
    before = folder()
    assert folder() == before
    assert before.is_relative_to(sources / "__pycache__")
    (sources / name).write_text((sources / name).read_text() + "\nX = 1\n")
    assert folder() != before


def test_the_sources_are_all_that_is_compiled_together() -> None:
    imported = {"fused.py"}
    for _ in range(3):
        texts = [(compilation.HERE / name).read_text() for name in imported]
        imported |= {
            f"{found}.py" for text in texts for found in re.findall(r"from models\.kernels\.(\w+) import", text)
        }
    assert imported == set(compilation.SOURCES)


def test_where_the_sources_cannot_be_written_the_user_s_cache_is_taken(sources: Path, tmp_path: Path) -> None:
    (sources / "__pycache__").write_text("a file in the way of the folder")
    assert folder().is_relative_to(tmp_path / "cache" / "lagbench")
    (tmp_path / "cache" / "lagbench").rename(tmp_path / "cache" / "moved")
    (tmp_path / "cache" / "lagbench").write_text("in the way as well")
    assert folder().is_dir()


def test_numba_s_own_setting_is_left_as_it_was() -> None:
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    compiled = compilation.compiled(lambda x: x + 1)
    assert before == numba.config.CACHE_DIR  # type: ignore[attr-defined]
    assert compiled(1) == 2
