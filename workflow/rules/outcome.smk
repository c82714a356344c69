# What the user is told before the first job and after the last.
from workflow.operations.failures import ends_of
from workflow.operations.outcome import is_partial, outcome
from workflow.operations.staleness import changed_line, installed, made, records, version_lines


onstart:
    os.environ.update(LAGBENCH_PACKED="" if workflow.local_exec or PACKS.size == 1 else "yes")
    if workflow.local_exec and not is_partial(workflow.dag_settings.targets):
        require_devices(EXPERIMENT, python=sys.executable)
        for line in changed_line(made(EXPERIMENT.run_paths), expected=EXPERIMENT.expected(EXPERIMENT.run_paths)):
            print(line, file=sys.stderr)


onsuccess:
    # The Makefile says it itself, also when there was nothing to do; of partial results their rule has told.
    if "MAKELEVEL" not in os.environ and not is_partial(workflow.dag_settings.targets):
        print(*outcome(PLACE), sep="\n", file=sys.stderr)
        if not workflow.deployment_settings.deployment_method:  # else jobs have versions of their own
            for line in version_lines(made(records(EXPERIMENT)), here=installed()):
                print(line, file=sys.stderr)


onerror:
    MADE = [*PACKS.planned, *EXPERIMENT.run_paths, *BASELINES.paths]
    MADE += MEASUREMENTS.paths if "measurement" in config else []
    ASKED = EXPERIMENT.expected(EXPERIMENT.run_paths) | BASELINES.expected(BASELINES.paths)
    ASKED |= MEASUREMENTS.expected(MEASUREMENTS.paths) if "measurement" in config else {}
    ENDS = ends_of([log] if isinstance(log, str) else log)
    print(
        *failures([*MADE, *TABLES, *FIGURES, *FOUND], since=BEGAN, ends=ENDS, asked=ASKED),
        sep="\n",
        file=sys.stderr,
    )
