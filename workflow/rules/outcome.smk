# What the user is told before the first job and after the last.
from workflow.runs.outcome import outcome


onstart:
    if workflow.local_exec:
        require_devices(EXPERIMENT, python=sys.executable)


onsuccess:
    if "MAKELEVEL" not in os.environ:  # the Makefile says it itself, also when there was nothing to do
        print(*outcome(PLACE), sep="\n", file=sys.stderr)


onerror:
    MADE = [*PACKS.planned, *EXPERIMENT.run_paths, *BASELINES.paths]
    MADE += MEASUREMENTS.paths if "measurement" in config else []
    print(
        *failures([*MADE, *TABLES, *FIGURES, *FOUND], since=BEGAN),
        sep="\n",
        file=sys.stderr,
    )
