# What the user is told before the first job and after the last.
from workflow.runs.outcome import outcome
from workflow.runs.standing import changed_line, installed, made, records, version_lines


onstart:
    if workflow.local_exec:
        require_devices(EXPERIMENT, python=sys.executable)
        for line in changed_line(made(EXPERIMENT.run_paths), expected=EXPERIMENT.expected(EXPERIMENT.run_paths)):
            print(line, file=sys.stderr)


onsuccess:
    if "MAKELEVEL" not in os.environ:  # the Makefile says it itself, also when there was nothing to do
        print(*outcome(PLACE), sep="\n", file=sys.stderr)
        if not workflow.deployment_settings.deployment_method:  # else jobs have versions of their own
            for line in version_lines(made(records(EXPERIMENT)), here=installed()):
                print(line, file=sys.stderr)


onerror:
    MADE = [*EXPERIMENT.run_paths, *BASELINES.paths]
    MADE += MEASUREMENTS.paths if "measurement" in config else []
    print(
        *failures([*MADE, *TABLES, *FIGURES, *FOUND], since=BEGAN),
        sep="\n",
        file=sys.stderr,
    )
