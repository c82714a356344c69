"""A cell of the tests' own, in a plug-in folder: it may be renamed within, compute another number, or fail."""

from tests.workflow.workspace import Workspace

PLUGIN = "mine"
SMALL = {
    "plugins": [PLUGIN],
    "grid": [{"devices": ["cpu"], "tasks": ["copy"], "models": ["echo", "rnn"], "gradients": ["full"]}],
    "tasks": {"copy": {"lags": [11, 12]}},
    "models": {"echo": {"cell": "echo", "hidden_size": 2}},
    "figures": ["accuracy_versus_lag"],
}
CELL = '''"""A tanh RNN without biases, of the tests alone."""

import torch

from models.cell import Cell, project_inputs, uniform

{on_import}
OPTIONS = {{}}
PATHS = {{"recurrent": {{}}}}


class EchoCell(Cell):
    """A tanh RNN; its state is (h,)."""

    state_symbols = ("h",)

    def __init__(self, *, features, hidden_size):
        self.features, self.hidden_size, self.paths = features, hidden_size, tuple(PATHS)
        self.state_sizes = (hidden_size,)
        self.shapes = {{"W": (features, hidden_size), "U": (hidden_size, hidden_size)}}

    def initialise(self, rng, *, sequence_length):
        return {{name: uniform(rng, shape, bound={function}()) for name, shape in self.shapes.items()}}

    def prepare(self, parameters):
        return parameters

    def project(self, parameters, inputs):
        return project_inputs(inputs, parameters["W"], None)

    def step(self, parameters, projected, *, state, via):
        {before_step}
        return (torch.tanh(torch.baddbmm(projected, via("recurrent", state[0]), parameters["U"])),)


def {function}():
    return {bound}
'''


def write_cell(
    workspace: Workspace,
    *,
    name: str = "echo",
    function: str = "_bound",
    bound: float = 0.5,
    on_import: str = "",
    before_step: str = "pass",
) -> None:
    """Write the cell into the plug-in folder of a workspace; `on_import` and `before_step` are statements."""
    text = CELL.format(function=function, bound=bound, on_import=on_import, before_step=before_step)
    (workspace.root / PLUGIN / "models").mkdir(parents=True, exist_ok=True)
    (workspace.root / PLUGIN / "models" / f"{name}.py").write_text(text)
