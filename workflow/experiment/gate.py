"""The gate of the pipeline: a configuration passes as an experiment, or one line on the terminal ends it.

`python -m workflow validate my.yaml` asks it alone: Snakemake reads a file before its workflow can, and tells
one that it cannot read at length, or runs the expressions of one that asks for it (`__use_yte__`).
"""

import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from workflow.experiment.errors import ConfigurationError, refuse
from workflow.experiment.experiment import DEFAULT, Experiment, complete
from workflow.experiment.findings import Findings
from workflow.experiment.reading import read


def admit(config: dict[str, Any], *, root: Path, files: Iterable[str] = ()) -> Experiment:
    """Complete `config` in place over config/default.yaml and return its experiment; a mistake is one line and exit 1.

    `files` are the user's configuration files, read once more for what Snakemake lets pass: a key given twice, an
    empty mapping in the place of something else.
    """
    try:
        for path in files:
            _restore(config, read(Path(path)))
        config.update(complete(config, root=root))
        return Experiment(config, root=root)
    except ConfigurationError as error:
        sys.exit(str(error))


def _restore(config: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Put back the mappings that Snakemake has dropped as empty when it laid a file over what was no mapping."""
    for name, value in given.items():
        if isinstance(value, Mapping) and isinstance(config.get(name), dict):
            _restore(config[name], value)
        elif value == {}:
            config[name] = value


def admit_file(path: Path, *, root: Path) -> Findings:
    """Return the findings of a configuration file's experiment; a mistake in either is one line and exit 1."""
    try:
        if not os.path.exists(path):
            there = sorted(str(found) for found in Path("config").glob("*.yaml") if found.stem != "claims")
            raise refuse("", f"no file {path}; there are: {', '.join(there) or 'none in config/'}")
        return Findings(Experiment(complete(read(path), root=root), root=root))
    except ConfigurationError as error:
        sys.exit(str(error))


def admit_claims(experiment: Experiment) -> Findings:
    """Return the findings of an experiment; a mistake in its claims is one line and exit 1."""
    try:
        return Findings(experiment)
    except ConfigurationError as error:
        sys.exit(str(error))


def default_file(root: Path) -> str:
    """Return the path of config/default.yaml once it has been read without a mistake."""
    try:
        read(root / DEFAULT)
    except ConfigurationError as error:
        sys.exit(str(error))
    return str(root / DEFAULT)


def require_devices(experiment: Experiment, *, devices: Collection[str], python: str) -> None:
    """End with one line if missing runs need `cuda` and torch, asked in a process of its own, finds no GPU here."""
    if "cuda" in devices and not finds_gpu(python):
        numbers = [number for number, block in enumerate(experiment.asked["grid"]) if "cuda" in block["devices"]]
        why = "torch finds no GPU on this machine; allowed here: cpu; came 'cuda'"
        sys.exit(str(refuse(f"grid[{numbers[0]}].devices", why)))


def finds_gpu(python: str) -> bool:
    """Say whether torch, asked in a process of its own, finds a GPU here."""
    question = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    try:
        return subprocess.run([python, "-c", question], capture_output=True, timeout=120, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
