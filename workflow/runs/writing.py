"""Writing the files of a run: whole or not at all."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as one line of JSON under a temporary name, then rename it."""
    write_text(path, json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text under a temporary name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:  # a full disk does not say of itself which one
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
