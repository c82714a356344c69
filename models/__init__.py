"""What learns: recurrent cells, the gradient flows that train them, and the kernels that unroll them.

Cells are found in this folder and in the folder `models` of every path in the environment variable `LAGBENCH_PLUGINS`.
"""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.torch_lstm import LSTM as LSTM

__all__ = ["LSTM"]

__path__ += [
    str(Path(plugin, "models").absolute())
    for plugin in os.environ.get("LAGBENCH_PLUGINS", "").split(os.pathsep)
    if plugin and Path(plugin, "models").is_dir()
]


def __getattr__(name: str) -> Any:
    """Load the torch module on first access: no run depends on it, so that changing it makes none stale."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("models.torch_lstm"), name)
