"""What varies between reruns: one row per run record, keyed by its path below `runs/`."""

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.tables.schema.columns import Records, count, number, optional_count, text

RECORDS = "run"
PART = "provenance"
KEY = ("run",)
COLUMNS = {
    "run": text("the run record"),
    "commit": text("of the code; empty outside a repository"),
    "dirty": text("whether the code had changes that were not committed"),
    "python": text("its version"),
    "platform": text("the operating system"),
    "versions.*": text("of the packages that determine or may change numbers"),
    "processor": text("the CPU's name"),
    "processor_type": text(
        "its vendor, family, model and the vector instructions that torch uses: a virtual machine may give different "
        "CPUs one name"
    ),
    "compiled_for": text("the CPU that numba compiles for, and a hash of its features"),
    "gpu": text("the GPU's name"),
    "threads": count("threads of the job"),
    "kernel": text("the kernel that ran"),
    "settings": text("digest of the settings"),
    "sources": text("digest of the code that determines the numbers"),
    "plugins.*": text("of each plug-in folder: commit, dirty flag and digest"),
    "host": text("where it ran"),
    "started": text("when"),
    "wall_seconds": number("how long it ran"),
    "peak_memory_bytes": count("its peak memory"),
    "peak_gpu_memory_bytes": optional_count("its peak memory on the GPU"),
    "restarts": count("how often it was continued from a checkpoint"),
}


def compute(records: Records, experiment: Experiment) -> pd.DataFrame:
    """Compute the table from the provenance of runs, each with its `run`; nested values get dotted names."""
    return pd.json_normalize([dict(record) for record in records])
