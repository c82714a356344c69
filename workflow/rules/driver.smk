# Who makes the experiment. Here and not in onstart, for Snakemake looks for its lock, and for incomplete runs, before that.
from workflow.runs.driver import drive

MACHINES = workflow.resource_settings.cores or workflow.resource_settings.nodes
if workflow.is_main_process and MACHINES and not workflow.output_settings.dryrun:
    for line in drive(PLACE.results, runs=lambda: EXPERIMENT.expected(EXPERIMENT.run_paths)):
        print(line, file=sys.stderr)
