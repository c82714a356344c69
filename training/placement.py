"""Where numbers are computed and in which format: devices and dtypes by their names in the config."""

import torch

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def limit_threads(threads: int) -> None:
    """Set the number of threads that torch may use."""
    torch.set_num_threads(threads)


def select_device(name: str) -> torch.device:
    """Return a device; a GPU that is not there is a RuntimeError."""
    if name == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("device cuda was asked for, but torch finds no GPU on this machine; devices here: cpu")
    return torch.device(name)
