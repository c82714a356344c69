"""The gate of the pipeline: a configuration passes as an experiment, or one line on the terminal ends the process.

`python -m workflow validate my.yaml` checks a file alone: Snakemake reads it before its workflow can, describes
one that it cannot read at length, and runs the expressions of one that has the key `__use_yte__`.
"""

import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from workflow.experiment.errors import ConfigurationError, make_error
from workflow.experiment.experiment import DEFAULT, Experiment, complete
from workflow.experiment.findings import Findings
from workflow.experiment.reading import merge, read, read_scalar
from workflow.experiment.source_tree import export_plugins


def admit(
    config: dict[str, Any], *, root: Path, files: Iterable[str] = (), overrides: Mapping[str, Any] | None = None
) -> Experiment:
    """Complete `config` in place over config/default.yaml and return its experiment; a mistake is one line and exit 1.

    `files` are the user's configuration files, read once more for what Snakemake lets pass: a key given twice, an
    empty mapping in the place of something else. `overrides` are the values of `--config`, which Snakemake reads as
    text where they are nested.
    """
    try:
        for path in files:
            _restore(config, read(Path(path)))
        for name, value in (overrides or {}).items():
            if isinstance(value, list | dict):
                config[name] = merge({name: config[name]}, {name: _read_texts(value)})[name]
        config.update(complete(config, root=root))
        experiment = Experiment(config, root=root)
    except ConfigurationError as error:
        sys.exit(str(error))
    for name in [name for name, value in config.items() if value is None]:
        del config[name]
    export_plugins(experiment.tree)
    return experiment


def _restore(config: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Put back the mappings that Snakemake has dropped as empty when it laid a file over what was no mapping."""
    for name, value in given.items():
        if isinstance(value, Mapping) and isinstance(config.get(name), dict):
            _restore(config[name], value)
        elif value == {}:
            config[name] = value


def _read_texts(value: Any) -> Any:
    """Read every text in a value as the number, true, false or null that YAML takes it for."""
    if isinstance(value, dict):
        return {name: _read_texts(below) for name, below in value.items()}
    if isinstance(value, list):
        return [_read_texts(below) for below in value]
    return read_scalar(value) if isinstance(value, str) else value


def admit_file(path: Path, *, root: Path) -> Findings:
    """Return the findings of a configuration file's experiment; a mistake in either is one line and exit 1."""
    try:
        if not os.path.exists(path):
            files = sorted(str(file) for file in Path("config").glob("*.yaml") if file.stem != "claims")
            raise make_error("", f"no file {path}; there are: {', '.join(files) or 'none in config/'}")
        findings = Findings(Experiment(complete(read(path), root=root), root=root))
    except ConfigurationError as error:
        sys.exit(str(error))
    export_plugins(findings.experiment.tree)
    return findings


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
