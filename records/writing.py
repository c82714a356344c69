"""Writing the files of a run: whole or not at all, even if the power fails."""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as one line of JSON under a temporary name, then rename it."""
    write_text(path, format_json(record))


def format_json(record: Mapping[str, Any]) -> str:
    """Return a record as one line of JSON; NaN and infinity are a ValueError."""
    return json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a text under a temporary name, then rename it."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a content under a temporary name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")  # of one process, on any host
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:  # a full disk does not say of itself which one
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
