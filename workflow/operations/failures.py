"""Which files a workflow failed to write, and why: read from the logs of their jobs and from Snakemake's own."""

import re
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

from records.log import REASON, printable
from records.paths import log_path
from workflow.jobs.requested import KINDS, Request
from workflow.jobs.resources import Need

TAIL = 8192  # bytes of a log in which its last line is looked for
NO_REASON = "ended without a word: killed, or out of memory or time"
ENDED = re.compile(r"2> (\S+)' (?:returned non-zero exit status (?P<status>\d+)|died with <\S+ (?P<number>\d+)>)")
"""How Snakemake's log tells the end of a command whose messages went to a log of ours."""
MEMORY = re.compile(r"MemoryError|(out of|not enough|allocate) memory|Unable to allocate|bad_alloc", re.IGNORECASE)
"""How Python, NumPy, torch, C++ and the system say that memory ran out."""
TIMED_OUT = 124  # the status of `timeout`
SLURM_ENDED = re.compile(r"SLURM-job '\d+' failed.*SLURM status is: *'(?P<state>\w+)'")
"""How Snakemake's log tells the end of a job on a cluster; below it stand the job's log and Slurm's own."""
LOGS = re.compile(r"    log: (?P<ours>[^,\s]+)(?:, (?P<slurm>.+) \(check log)?")
KILLED_FOR_MEMORY = re.compile(r"oom[-_]kill|Out Of Memory")
"""What Slurm's log says where only a step of the job ran out of memory, and the job itself has just failed."""
SLURM_SAYS = {
    "BOOT_FAIL": "its node did not start",
    "CANCELLED": "cancelled in Slurm",
    "DEADLINE": "cancelled by Slurm at its deadline",
    "NODE_FAIL": "its node failed",
    "PREEMPTED": "displaced by another job",
    "TIMEOUT": "killed by Slurm at its time limit",
}
End = int | str
"""How a job ended: its exit status, 128 + n by signal n, or the state that Slurm gives it."""


def list_failures(
    paths: Iterable[str], *, since: float, ends: Mapping[str, End], requests: Mapping[str, Request]
) -> list[str]:
    """List the missing files whose job ran after `since` (seconds of the epoch): one line each, with the reason.

    `ends` says per log how its job ended; `requests` are those for records, by path.
    """
    lines: dict[Path, str] = {}
    for path in paths:
        log = Path(log_path(path))
        ran = str(log) in ends or (log.exists() and log.stat().st_mtime >= since)
        if ran and log not in lines and not Path(path).exists():
            request = requests.get(path)
            need = KINDS[request.kind].estimate_need(request.settings) if request else None
            reason = explain_end(last_line(log), end=ends.get(str(log), 0), need=need)
            lines[log] = f"failed: {path}: {reason} (log: {log})"
    return list(lines.values())


def read_ends(snakemake_logs: Iterable[str]) -> dict[str, End]:
    """Read from Snakemake's logs how its failed jobs ended, the last attempt of each, per log of the job."""
    ends: dict[str, End] = {}
    for log in snakemake_logs:
        state = None
        with Path(log).open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if ended := ENDED.search(line):
                    ends[ended[1]] = int(ended["status"]) if ended["status"] else 128 + int(ended["number"])
                elif ended := SLURM_ENDED.search(line):
                    state = ended["state"]
                elif state and (logs_line := LOGS.match(line)):
                    ends[logs_line["ours"]], state = _state(state, slurm=logs_line["slurm"]), None
    return ends


def _state(state: str, *, slurm: str | None) -> str:
    """Return the state of a job on a cluster, a failure's with the memory that it was for."""
    try:
        text = Path(slurm).read_text(encoding="utf-8", errors="replace") if slurm and state == "FAILED" else ""
    except OSError:
        text = ""
    return "OUT_OF_MEMORY" if KILLED_FOR_MEMORY.search(text) else state


def explain_end(last: str, *, end: End, need: Need | None = None) -> str:
    """Return why a job failed, by the last line of its log, its end and what it was estimated to need."""
    text = printable(last.removeprefix(REASON))
    if MEMORY.search(last):
        return f"out of memory{_that_would_fit(need)}: {text}"
    more = f"; last line: {text}" if text else ""
    if end == "OUT_OF_MEMORY":
        return f"out of memory, as Slurm says{_that_would_fit(need)}{more}"
    if end in SLURM_SAYS:
        return f"{SLURM_SAYS[str(end)]}{more}"
    if last.startswith(REASON):
        return text
    if isinstance(end, str):  # FAILED says no more than that
        return NO_REASON + more
    if end == 128 + signal.SIGKILL:
        return f"killed by SIGKILL, as a system does that is out of memory{_that_would_fit(need)}{more}"
    if end > 128:
        return f"killed by {_signal(end - 128)}{more}"
    if end == TIMED_OUT:
        return f"stopped at its time limit{more}"
    return f"ended with status {end}{more}" if end else NO_REASON + more


def last_line(log: Path) -> str:
    """Return the last line of a log that is not blank, or nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except FileNotFoundError:  # not even the log could be written
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")


def _that_would_fit(need: Need | None) -> str:
    if need is None:
        return ""
    megabytes = round(need.memory / 1e6)
    return f" (about {megabytes} MB would fit; fewer cores are fewer jobs at a time, fewer seeds_per_job smaller ones)"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
