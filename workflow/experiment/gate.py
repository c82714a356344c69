"""The gate of the pipeline: a configuration passes as an experiment, or one line on the terminal ends the process.

`python -m workflow validate my.yaml` checks a file alone: Snakemake reads it before its workflow can, describes
one that it cannot read at length, and runs the expressions of one that has the key `__use_yte__`.
"""

import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from workflow.experiment.errors import ConfigurationError, make_error
from workflow.experiment.experiment import DEFAULT, Experiment, complete
from workflow.experiment.findings import Findings
from workflow.experiment.reading import merge, read, read_scalar
from workflow.experiment.source_tree import export_plugins


@contextmanager
def exit_on_mistake() -> Iterator[None]:
    """End the process with one line and exit code 1 on a ConfigurationError."""
    try:
        yield
    except ConfigurationError as error:
        sys.exit(str(error))


def admit(
    config: dict[str, Any],
    *,
    root: Path,
    files: Iterable[Path] = (),
    overrides: Mapping[str, Any] = MappingProxyType({}),
) -> Findings:
    """Complete `config` in place over config/default.yaml and return the findings of its experiment.

    A mistake is one line and exit 1. `files` are the user's configuration files, read once more for what Snakemake lets
    pass: a key given twice, an empty mapping in the place of something else. `overrides` are the values of `--config`,
    which Snakemake reads as text where they are nested.
    """
    with exit_on_mistake():
        nested = {name: _read_texts(value) for name, value in overrides.items() if isinstance(value, list | dict)}
        for given in (*map(read, files), nested):
            config.update(merge(config, given))
        config.update(complete(config, root=root))
        findings = Findings(Experiment(config, root=root))
    for name in [name for name, value in config.items() if value is None]:
        del config[name]
    export_plugins(findings.experiment.tree)
    return findings


def admit_file(path: Path, *, root: Path) -> Findings:
    """Return the findings of a configuration file's experiment; a mistake in either is one line and exit 1."""
    with exit_on_mistake():
        if not os.path.exists(path):
            files = sorted(str(file) for file in Path("config").glob("*.yaml") if file.stem != "claims")
            raise make_error("", f"no file {path}; there are: {', '.join(files) or 'none in config/'}")
    return admit({}, root=root, files=[path])


def _read_texts(value: Any) -> Any:
    """Read every text in a value as the number, true, false or null that YAML takes it for."""
    if isinstance(value, dict):
        return {name: _read_texts(below) for name, below in value.items()}
    if isinstance(value, list):
        return [_read_texts(below) for below in value]
    return read_scalar(value) if isinstance(value, str) else value


def default_file(root: Path) -> str:
    """Return the path of config/default.yaml once it has been read without a mistake."""
    with exit_on_mistake():
        read(root / DEFAULT)
    return str(root / DEFAULT)


def require_devices(experiment: Experiment, *, devices: Collection[str], python: str) -> None:
    """End with one line if missing runs need `cuda` and torch finds no GPU here."""
    if "cuda" in devices and not finds_gpu(python):
        numbers = [number for number, block in enumerate(experiment.given["grid"]) if "cuda" in block["devices"]]
        why = "torch finds no GPU on this machine; allowed here: cpu; came 'cuda'"
        sys.exit(str(make_error(f"grid[{numbers[0]}].devices", why)))


def finds_gpu(python: str) -> bool:
    """Return whether torch finds a GPU here, in a process of its own."""
    program = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    try:
        return subprocess.run([python, "-c", program], capture_output=True, timeout=120, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
