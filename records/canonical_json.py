"""Canonical JSON: equal records give equal text, whose SHA-256 names them."""

import hashlib
import json
from typing import Any


def format_canonical_json(record: Any) -> str:
    """Return a record as JSON with sorted keys and without blanks; NaN and infinity are a ValueError."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)


def compute_digest(record: Any) -> str:
    """Return the SHA-256 of a record's canonical JSON."""
    return hash_text(format_canonical_json(record))


def hash_text(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
