"""Reads run records, and refuses one that the config or the code would no longer produce."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

MEND = "delete the file or rerun with --rerun-triggers params"
PARTS = {
    "settings",
    "sources",
    "kernel",
    "sequence_length",
    "success_accuracy",
    "chance",
    "floor",
    "scored_steps",
    "replicas",
    "curves",
}


def read_runs(paths: Sequence[Path], *, expected: Mapping[str, Mapping]) -> list[dict]:
    """Read run records and keep the replicas of the wanted seeds.

    `expected` maps str(path) to {"settings": ..., "sources": ..., "seeds": [wanted seeds]}. A record may cover more
    seeds than wanted; any other difference from `expected` raises ValueError, one line, with the way to mend it.
    """
    runs = []
    for path in paths:
        wanted = expected[str(path)]
        record = read_json(path, what="run record")
        if not record.keys() >= PARTS:
            raise _refusal(path, f"lacks {', '.join(sorted(PARTS - record.keys()))}")
        _check_settings(path, record, wanted)
        seeds = set(wanted["seeds"])
        run = dict(record)
        for part in ("replicas", "curves"):
            run[part] = [row for row in record[part] if row["seed"] in seeds]
        _check_replicas(path, run, seeds)
        runs.append(run)
    return runs


def read_json(path: Path, *, what: str) -> dict:
    """Read a JSON object; a missing or broken file raises ValueError with one line."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{what} {path} does not exist; run the workflow again") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _refusal(path, f"is not JSON ({error})") from None
    if not isinstance(content, dict):
        raise _refusal(path, f"holds a {type(content).__name__} where an object is expected")
    return content


def differences(came: object, asked: object, *, key: str = "") -> Iterator[str]:
    """Yield one phrase per difference, such as 'training.batch_size is 16, the config asks for 32'."""
    if isinstance(came, dict) and isinstance(asked, Mapping):
        for name in sorted(came.keys() | asked.keys()):
            inner = f"{key}.{name}" if key else str(name)
            if name not in came:
                yield f"{inner} is missing, the config asks for {json.dumps(asked[name])}"
            elif name not in asked:
                yield f"{inner} is {json.dumps(came[name])}, the config has no such key"
            else:
                yield from differences(came[name], asked[name], key=inner)
    elif _canonical(came) != _canonical(asked):
        yield f"{key} is {json.dumps(came)}, the config asks for {json.dumps(asked)}"


def _canonical(value: object) -> str:
    """Write a value so that 32 equals 32.0 but not true, and a tuple equals a list."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_canonical(item) for item in value) + "]"
    return json.dumps(value, sort_keys=True)


def _check_settings(path: Path, record: dict, wanted: Mapping) -> None:
    came, asked = dict(record["settings"]), dict(wanted["settings"])
    missing = sorted(set(wanted["seeds"]) - set(came.pop("seeds", [])))
    asked.pop("seeds", None)
    if missing:
        raise _refusal(path, f"has no seed {', '.join(map(str, missing))}, which the config asks for")
    found = list(differences(came, asked))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise _refusal(path, found[0] + more)
    if record["sources"] != wanted["sources"]:
        came_digest, asked_digest = str(record["sources"])[:12], str(wanted["sources"])[:12]
        raise _refusal(path, f"sources is {came_digest}, the code now is {asked_digest} (it has changed since the run)")


def _check_replicas(path: Path, run: dict, seeds: set[int]) -> None:
    count = Counter((replica["seed"], replica["learning_rate"]) for replica in run["replicas"])
    for seed in sorted(seeds):
        for rate in run["settings"]["learning_rates"]:
            if count[seed, rate] != 1:
                raise _refusal(path, f"has {count[seed, rate]} replicas of seed {seed} at rate {rate}, not 1")
    if len(count) != len(seeds) * len(run["settings"]["learning_rates"]):
        raise _refusal(path, "has replicas at learning rates that its own settings do not name")


def _refusal(path: Path, what: str) -> ValueError:
    return ValueError(f"run {path}: {what}; {MEND}")
