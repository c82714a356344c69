"""What holds for all tests: one thread, as a second only costs time on matrices this small, and a seed for torch."""

from collections.abc import Iterator

import pytest
import torch

from models.cell import cell_names
from tasks.task import task_names

NAMES = {"cell": cell_names, "task": task_names}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the conformance suites test one file."""
    for kind in NAMES:
        parser.addoption(f"--{kind}", metavar="NAME", help=f"the one {kind} that its conformance suite tests")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a file that there is not."""
    for kind, names in NAMES.items():
        chosen = config.getoption(f"--{kind}")
        if chosen is not None and chosen not in names():
            raise pytest.UsageError(f"unknown {kind} {chosen!r}; known: {', '.join(names())}")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Take one thread and give the others back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def torch_s_own_generator() -> Iterator[None]:
    """Seed the generator that torch's modules draw their weights from, and give it back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
