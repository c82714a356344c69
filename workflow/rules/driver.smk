# Who makes the experiment. Here and not in onstart, for Snakemake looks for its lock, and for incomplete runs, before that.
from workflow.jobs.requested import requested_records
from workflow.operations.driver import drive

MACHINES = workflow.resource_settings.cores or workflow.resource_settings.nodes
if workflow.is_main_process and MACHINES and not workflow.output_settings.dryrun:
    for line in drive(
        str(AT(PLACE.results)),
        runs=lambda: {
            str(AT(one.path)): {"settings": one.settings, "sources": one.sources}
            for one in requested_records(EXPERIMENT)
        },
    ):
        print(line, file=sys.stderr)
