"""Which jobs failed, and why: Snakemake's log events name them, and the log of a job ends with its exit status."""

import logging
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from records.log import REASON, printable
from workflow.jobs.requested import KINDS, Request
from workflow.jobs.resources import Need

TAIL = 8192  # bytes of a log in which its last line is looked for
NO_REASON = "ended without a word: killed, or out of memory or time"
STATUS = "exit status "
"""What a rule appends to the log of a command that failed, before the number."""
OUT_OF_MEMORY = (
    "memoryerror",
    "out of memory",
    "not enough memory",
    "allocate memory",
    "unable to allocate",
    "bad_alloc",
)
"""How Python, NumPy, torch, C++ and the system say that memory ran out."""
OOM_KILL = re.compile("oom[-_]kill|Out Of Memory")
"""What Slurm's log says where only a step of the job ran out of memory, and the job itself has just failed."""
TIMED_OUT = 124  # the status of `timeout`
SLURM_STATES = {
    "BOOT_FAIL": "its node did not start",
    "CANCELLED": "cancelled in Slurm",
    "DEADLINE": "cancelled by Slurm at its deadline",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "out of memory, as Slurm says",
    "PREEMPTED": "displaced by another job",
    "TIMEOUT": "killed by Slurm at its time limit",
}


class FailedJobs(logging.Handler):
    """A handler of Snakemake's logger that keeps the jobs that failed: per log of a job what it was to write, and why.

    Why is the state that Slurm gave it, by the message of the executor and Slurm's own log, or nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, tuple[str, str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the job of an error event."""
        if getattr(record, "event", None) == "job_error":
            job = vars(record)
            message = job["rule_msg"] or ""
            state = next((state for state in SLURM_STATES if f"'{state}'" in message), "")
            log, *slurm_logs = job["log"]
            if not state and any(map(_reports_oom_kill, slurm_logs)):
                state = "OUT_OF_MEMORY"
            self.jobs[log] = (*job["output"], job["rule_name"])[0], state


class End(NamedTuple):
    """How a job ended."""

    line: str = ""
    """The last line of its log."""
    status: int = 0
    """Its exit status, 128 + n by signal n; 0: nothing is known."""


def list_failures(jobs: Mapping[str, tuple[str, str]], *, requests: Mapping[str, Request]) -> Iterator[str]:
    """Yield a line per file that is missing as its job failed; `requests` are those for records, by path."""
    for log, (path, state) in jobs.items():
        if not Path(path).exists():  # else a further attempt has written it
            request = requests.get(path)
            need = KINDS[request.kind].estimate_need(request.settings) if request else None
            yield f"failed: {path}: {explain_end(read_end(Path(log)), state=state, need=need)} (log: {log})"


def read_end(log: Path) -> End:
    """Read how the job of a log ended; without a log nothing is known."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            lines = [line for line in file.read().decode(errors="replace").split("\n") if line.strip()]
    except FileNotFoundError:
        return End()
    status = int(lines.pop().removeprefix(STATUS)) if lines and lines[-1].startswith(STATUS) else 0
    return End(lines[-1] if lines else "", status)


def explain_end(end: End, *, state: str = "", need: Need | None = None) -> str:
    """Return why a job failed, by its end, the state that Slurm gave it, and what it was estimated to need."""
    fitting = ""
    if need is not None:
        fitting = f" (about {round(need.memory / 1e6)} MB would fit; fewer cores are fewer jobs at a time, "
        fitting += "fewer seeds_per_job smaller ones)"
    text = printable(end.line.removeprefix(REASON))
    more = f"; last line: {text}" if text else ""
    if any(word in end.line.lower() for word in OUT_OF_MEMORY):
        return f"out of memory{fitting}: {text}"
    if state:
        return SLURM_STATES[state] + (fitting if state == "OUT_OF_MEMORY" else "") + more
    if end.line.startswith(REASON):
        return text
    if end.status == 128 + signal.SIGKILL:
        return f"killed by SIGKILL, as a system does that is out of memory{fitting}{more}"
    if end.status > 128:
        return f"killed by {_name_signal(end.status - 128)}{more}"
    if end.status == TIMED_OUT:
        return f"stopped at its time limit{more}"
    return (f"ended with status {end.status}" if end.status else NO_REASON) + more


def _reports_oom_kill(log: str) -> bool:
    try:
        return bool(OOM_KILL.search(Path(log).read_text(encoding="utf-8", errors="replace")))
    except FileNotFoundError:
        return False


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
