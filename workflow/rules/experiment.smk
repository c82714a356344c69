# The configuration, validated, and the files that it requests.
from workflow.experiment.declarations import docstring
from workflow.experiment.sources import analysis_sources
from workflow.jobs.requested import requested_files
from records.canonical_json import format_canonical_json
from records.paths import log_path

EXPERIMENT = admit(config, root=ROOT, files=workflow.overwrite_configfiles)
PLACE = EXPERIMENT.place
AT = workflow.modifier.path_modifier.modify  # where a path lies: a workflow that imports this one may add a prefix
FILES = requested_files(EXPERIMENT)
# One job at a time: its progress may go to the terminal too.
ALONE = (workflow.resource_settings.cores or 0) < 2 * int(config["threads"])
os.environ.update(
    LAGBENCH_TERMINAL="yes" if ALONE else "",
    LAGBENCH_CHECKPOINT_SECONDS=str(60 * config["checkpoint_minutes"]),
)


wildcard_constraints:
    device="cpu|cuda",
    task=EXPERIMENT.constraint("tasks"),
    lag=r"\d+",
    model=EXPERIMENT.constraint("models"),
    gradient=EXPERIMENT.constraint("gradients"),
    seeds=r"\d[\d_-]*",
    figure=r"\w+",
    pack=r"[0-9a-f]+",
