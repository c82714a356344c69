"""The log of a job: progress while it runs, and as its last line why it failed."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REASON = "error: "


def log_line(line: str) -> None:
    """Write a line to the log (stderr) and, when the job runs alone, to the terminal."""
    print(line, file=sys.stderr, flush=True)
    if os.environ.get("LAGBENCH_TERMINAL") and not sys.stderr.isatty():
        print(line, flush=True)


@contextmanager
def log_errors(log: str | None = None) -> Iterator[None]:
    """Send stderr to a log, if one is given; on an error end it with the traceback and `error: reason`, and exit 1."""
    if log is not None:
        sys.stderr = Path(log).open("w", encoding="utf-8", buffering=1)  # noqa: SIM115 (open to the end of the process)
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        traceback.print_exc()
        print(f"{REASON}{describe_error(error)}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def describe_error(error: BaseException) -> str:
    """Return an error as one line; a ValueError or RuntimeError needs no type before it."""
    text = printable(" ".join(str(error).split()))
    if type(error) in (ValueError, RuntimeError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def printable(text: str) -> str:
    """Keep a message on one line whatever came."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
