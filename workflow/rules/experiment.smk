# The configuration, validated, and what it requests.
from functools import cache

from snakemake.io import IOFile

from workflow.experiment.sources import read_docstring
from workflow.jobs.derived import describe_figure, describe_table, is_derived_current
from workflow.jobs.records import is_current
from workflow.jobs.requested import KINDS, list_requests, list_requests_at, requested_files, requested_records
from records.canonical_json import format_canonical_json
from records.paths import log_path

FINDINGS = admit(
    config,
    root=ROOT,
    files=() if IS_IMPORTED else workflow.overwrite_configfiles,  # which are the outer workflow's
    overrides={} if IS_IMPORTED else workflow.config_settings.config,
)
EXPERIMENT = FINDINGS.experiment
PLACE = EXPERIMENT.place
AT = workflow.modifier.path_modifier.modify  # where a path lies: a workflow that imports this one may add a prefix
FILES = requested_files(EXPERIMENT)
requested = cache(lambda kind: list_requests(EXPERIMENT, kind))
request_path = cache(lambda kind, path: list_requests_at(EXPERIMENT, kind, [path])[path])
MACHINES = workflow.resource_settings.cores or workflow.resource_settings.nodes
# One job at a time: its progress may go to the terminal too.
ALONE = (workflow.resource_settings.cores or 0) < 2 * int(config["threads"])
os.environ.update(
    LAGBENCH_TERMINAL="yes" if ALONE else "",
    LAGBENCH_CHECKPOINT_SECONDS=str(60 * config["checkpoint_minutes"]),
)
# Snakemake asks its metadata what is current, which can be lost or switched off and which copied results do not have.
FORCES = workflow.is_main_process and bool(MACHINES or workflow.output_settings.dryrun)


def request_job(kind, wildcards):
    """Return the request for the record of the job with these wildcards."""
    name = KINDS[kind].PATTERN.format(**dict(wildcards.items()))
    return request_path(kind, f"{PLACE.results}/{KINDS[kind].FOLDER}/{name}.json")


def need(kind, wildcards):
    """Return the memory and time that the job with these wildcards needs."""
    return KINDS[kind].estimate_need(request_job(kind, wildcards).settings)


def update_record(request):
    """Let the record's job run unless it holds what is requested, whatever the metadata says; return no input.

    One that is current is whole, even where Snakemake, killed before its job ended, has it marked as incomplete.
    """
    path = Path(AT(request.path))
    if FORCES and not is_current(request, path=path):
        workflow.dag.forcefiles.add(str(path))
    elif FORCES and not workflow.output_settings.dryrun:
        files = [str(path), str(path.with_suffix(".provenance.json"))]
        for file in workflow.persistence._filter_incomplete_keys(files):
            workflow.persistence.cleanup_metadata(IOFile(file))
    return []


def update_derived(derived):
    """Let the job of a table or figure run unless this is current, whatever the metadata says; return its inputs."""
    if FORCES and not is_derived_current(derived, at=AT):
        workflow.dag.forcefiles.update(str(AT(path)) for path in derived.outputs)
    return derived.inputs


wildcard_constraints:
    device="cpu|cuda",
    task=EXPERIMENT.constraint("tasks"),
    lag=r"\d+",
    model=EXPERIMENT.constraint("models"),
    gradient=EXPERIMENT.constraint("gradients"),
    seeds=r"\d[\d_-]*",
    figure=r"\w+",
    pack=r"[0-9a-f]+",
