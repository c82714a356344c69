# What the user reads before the first job and after the last.
from snakemake.logging import logger

from workflow.operations.failures import FailedJobs, list_failures
from workflow.operations.outcome import (
    find_problems,
    is_partial,
    load_versions,
    read_installed_versions,
    report_changes,
    report_outcome,
    report_versions,
)

FAILED = FailedJobs()
logger.addHandler(FAILED)


onstart:
    os.environ.update(LAGBENCH_PACKED="" if workflow.local_exec or config["conditions_per_job"] == 1 else "yes")
    if workflow.local_exec and not is_partial(workflow.dag_settings.targets):
        MISSING = {run.condition.device for run in requested("run") if not os.path.exists(run.path)}
        require_devices(EXPERIMENT, devices=MISSING, python=sys.executable)
        for line in report_changes(requested("run")):
            print(line, file=sys.stderr)


onsuccess:
    # The Makefile says it itself, also when there was nothing to do; the rule of partial results has reported.
    if "MAKELEVEL" not in os.environ and not is_partial(workflow.dag_settings.targets):
        print(*report_outcome(PLACE), sep="\n", file=sys.stderr)
        if not workflow.deployment_settings.deployment_method:  # else jobs have versions of their own
            VERSIONS = load_versions(requested_records(EXPERIMENT))
            for line in report_versions(VERSIONS, installed=read_installed_versions()):
                print(line, file=sys.stderr)
    # Of other targets, or of a part of the jobs, nobody expects all results.
    GIVEN = workflow.dag_settings
    if not any((GIVEN.targets, GIVEN.until, GIVEN.omit_from, GIVEN.batch, GIVEN.allowed_rules)):
        if PROBLEMS := "; ".join(find_problems(EXPERIMENT, at=AT)):
            sys.exit(PROBLEMS)


onerror:
    CONFIGURED = [kind for kind in KINDS if kind != "measurement" or "measurement" in config]
    REQUESTS = {request.path: request for kind in CONFIGURED for request in requested(kind)}
    print(*list_failures(FAILED.jobs, requests=REQUESTS), sep="\n", file=sys.stderr)
