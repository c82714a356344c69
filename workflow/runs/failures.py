"""Which files a workflow failed to make, and why: read from the logs of their jobs."""

from collections.abc import Iterable
from pathlib import Path

from workflow.configuration.refusal import printable
from workflow.runs.log import REASON
from workflow.runs.paths import log_of

TAIL = 8192  # bytes of a log in which its last line is looked for
NO_REASON = "ended without a word: killed, or out of memory or time"


def failures(wanted: Iterable[str], *, since: float) -> list[str]:
    """List the missing files whose job ran after `since` (seconds of the epoch): one line each, with the reason."""
    lines: dict[Path, str] = {}
    for path in wanted:
        log = Path(log_of(path))
        if not Path(path).exists() and log.exists() and log.stat().st_mtime >= since:
            lines.setdefault(log, f"failed: {path}: {last_reason(log)} (log: {log})")
    return list(lines.values())


def last_reason(log: Path) -> str:
    """Return the reason that the last line of a log tells."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    if last.startswith(REASON):
        return printable(last.removeprefix(REASON))
    return NO_REASON + (f"; last line: {printable(last)}" if last else "")
