"""Records on disk: read and checked one by one; one that the config or the code would not write again is stale."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from records.canonical_json import compute_digest
from workflow.jobs.requested import KINDS, Request

REMEDY = "run the workflow again"


def read_record(request: Request, *, path: Path | None = None) -> dict[str, Any]:
    """Read a record with the rows of the requested seeds; a stale one is a ValueError of one line that says why.

    `path` is where it lies, if not where the request says.
    """
    path = Path(request.path) if path is None else path
    try:
        return check_record(read_json(path), request)
    except ValueError as error:
        raise ValueError(f"{request.kind} {path}: {error}; {REMEDY}") from None


def is_current(request: Request, *, path: str | Path | None = None) -> bool | None:
    """Return whether the record holds what is requested, by its digests; None if it, or its provenance, does not exist.

    They stand in its provenance, which is short; the record is read where that does not say.
    """
    path = Path(request.path if path is None else path)
    try:
        provenance = json.loads(path.with_suffix(".provenance.json").read_bytes())
        digests = provenance.get("settings"), provenance.get("sources")
        if not (all(digests) and path.is_file()):
            record = json.loads(path.read_bytes())
            digests = compute_digest(record["settings"]), record["sources"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return digests == request.digests


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; of another file a ValueError says what it is."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError("does not exist") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"is not JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"holds a {type(content).__name__} where an object is expected")
    return content


def find_differences(actual: object, expected: object, *, key: str = "") -> Iterator[str]:
    """Yield one phrase per difference, such as 'training.batch_size is 16, the config asks for 32'."""
    if isinstance(actual, dict) and isinstance(expected, Mapping):
        for name in sorted(actual.keys() | expected.keys()):
            inner = f"{key}.{name}" if key else str(name)
            if name not in actual:
                yield f"{inner} is missing, the config asks for {json.dumps(expected[name])}"
            elif name not in expected:
                yield f"{inner} is {json.dumps(actual[name])}, the config has no such key"
            else:
                yield from find_differences(actual[name], expected[name], key=inner)
    elif _canonical(actual) != _canonical(expected):
        yield f"{key} is {json.dumps(actual)}, the config asks for {json.dumps(expected)}"


def check_record(record: dict[str, Any], request: Request) -> dict[str, Any]:
    """Return a record with the rows of the requested seeds; of a stale one a ValueError says what has changed."""
    kind = KINDS[request.kind]
    if not record.keys() >= kind.PARTS:
        raise ValueError(f"lacks {', '.join(sorted(kind.PARTS - record.keys()))}")
    differences = list(find_differences(record["settings"], request.settings))
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise ValueError(differences[0] + more)
    if record["sources"] != request.sources:
        before, now = str(record["sources"])[:12], request.sources[:12]
        raise ValueError(f"sources is {before}, the code now is {now} (it has changed since)")
    return kind.select_seeds(record, seeds=request.seeds)


def _canonical(value: object) -> str:
    """Write a value so that 32 equals 32.0 but not true, and a tuple equals a list."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_canonical(item) for item in value) + "]"
    return json.dumps(value, sort_keys=True)
