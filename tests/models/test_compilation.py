"""Where the fused kernel's machine code is kept: never code of other sources or CPUs, never nowhere, never broken."""

import errno
import fcntl
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numba
import pytest

from models.kernels import compilation

ROOT = Path(__file__).resolve().parents[2]


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


def test_a_change_of_any_source_gives_another_folder(sources: Path) -> None:
    before = folder()
    assert folder() == before
    assert before.is_relative_to(sources / "__pycache__")
    for path in sources.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text + "\nX = 1\n", encoding="utf-8")
        assert folder() != before, path
        path.write_text(text, encoding="utf-8")
    assert folder() == before


def test_where_the_sources_cannot_be_written_the_user_s_cache_is_taken(sources: Path, tmp_path: Path) -> None:
    (sources / "__pycache__").write_text("a file in the way of the folder", encoding="utf-8")
    assert folder().is_relative_to(tmp_path / "cache" / "lagbench")
    (tmp_path / "cache" / "lagbench").rename(tmp_path / "cache" / "moved")
    (tmp_path / "cache" / "lagbench").write_text("in the way as well", encoding="utf-8")
    assert folder().is_dir()


@pytest.mark.parametrize("setting", ["NUMBA_CPU_NAME", pytest.param("NUMBA_CPU_FEATURES", marks=pytest.mark.slow)])
def test_every_type_of_cpu_has_a_folder_of_its_own(setting: str, tmp_path: Path) -> None:
    def name(**of_numba: str) -> str:
        program = "import runpy; print(runpy.run_path('models/kernels/compilation.py')['cache_folder']())"
        command = [sys.executable, "-c", program]
        built = subprocess.run(
            command, env=os.environ | of_numba, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
        )
        return Path(built.stdout.strip()).name

    plain, generic = name(NUMBA_CPU_NAME="generic"), {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    assert plain.startswith("kernel-generic-")
    assert name(**generic) != name(**generic | {setting: {"NUMBA_CPU_NAME": "haswell"}.get(setting, "+avx2")})


def test_a_user_without_a_home_has_a_folder_that_can_be_written(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sources / "__pycache__").write_text("a file in the way of the folder", encoding="utf-8")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: Path("~").expanduser())
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)  # no entry of the password file
    assert os.access(folder(), os.W_OK)


def test_another_numba_gives_another_folder(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder()
    monkeypatch.setattr(numba, "__version__", "0.0")
    assert folder() != before


def plus(x: float) -> float:
    return x + 1


def hits_and_misses() -> tuple[int, int]:
    """Call a function that is compiled or loaded as if in a process of its own."""
    dispatcher = compilation.compiled(plus)
    assert dispatcher(1.0) == 2.0
    return sum(dispatcher.stats.cache_hits.values()), sum(dispatcher.stats.cache_misses.values())


def test_machine_code_is_loaded_the_next_time(sources: Path) -> None:
    assert [hits_and_misses() for _ in range(3)] == [(0, 1), (1, 0), (1, 0)]


def flip_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("broken", [lambda old: b"", lambda old: old[: len(old) // 2], flip_a_bit])
def test_broken_file_is_compiled_anew_and_mended(
    sources: Path, caplog: pytest.LogCaptureFixture, broken: Callable[[bytes], bytes]
) -> None:
    hits_and_misses()
    (file,) = folder().rglob("*.nbc")
    file.write_bytes(broken(file.read_bytes()))
    assert [hits_and_misses() for _ in range(2)] == [(0, 1), (1, 0)]
    (line,) = caplog.messages
    assert line == f"the fused kernel is compiled anew: broken machine code in {file} (its checksum is wrong)"


def test_full_disk_costs_only_the_machine_code(
    sources: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert [hits_and_misses() for _ in range(2)] == [(0, 1), (0, 1)]
    assert all("cannot be kept in" in line and "No space left" in line for line in caplog.messages)
    assert len(caplog.messages) == 2
    assert not list(folder().rglob("*.nbc"))


def test_file_system_without_locks_compiles_all_the_same(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    assert [hits_and_misses() for _ in range(2)] == [(0, 1), (1, 0)]


def test_who_holds_the_lock_too_long_is_not_waited_for(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "PATIENCE", 0.3)
    hits_and_misses()
    (lock,) = folder().rglob("*.lock")
    for file in folder().rglob("*.nbc"):
        file.unlink()
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert hits_and_misses() == (0, 1)
    assert hits_and_misses() == (1, 0)


AT_ONCE = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("compilation", sys.argv[1] + "/compilation.py")  # without torch
compilation = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compilation)
def work(x):
    total = 0.0
    for i in range(9):
        total += (x * i) ** 0.5
    return total
compilation.log.warning("ready")
while not (compilation.HERE / "go").exists():
    time.sleep(0.001)
compiled = compilation.compiled(work)
compiled(1.0)
print(sum(compiled.stats.cache_hits.values()), sum(compiled.stats.cache_misses.values()))
"""


def test_processes_that_start_at_once_compile_once(sources: Path, tmp_path: Path) -> None:
    program = tmp_path / "at_once.py"
    program.write_text(AT_ONCE, encoding="utf-8")
    command = [sys.executable, program, sources]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in started:
        assert process.stderr
        assert process.stderr.readline() == "ready\n"
    (sources / "go").touch()
    messages = [process.communicate(timeout=120) for process in started]
    assert sorted(messages) == [("0 1\n", ""), ("1 0\n", "")]
