"""The fused kernel is compiled, or loaded, before anything trains."""

import pytest

from tests.settings import FUSED
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.slow


def test_the_kernel_goes_first_and_nothing_depends_on_its_marker(workspace: Workspace) -> None:
    workspace.configure(**FUSED)
    output = workspace.snakemake("--cores", "2")
    assert output.index("rule kernel:") < output.index("Finished jobid", output.index("rule kernel:"))
    assert output.index("Finished jobid") < output.index("rule train:")
    marker = workspace.root / "results/tiny/kernel.compiled"
    assert not marker.exists()
    assert workspace.plan().jobs == []
    marker.touch()
    assert workspace.plan().jobs == []
