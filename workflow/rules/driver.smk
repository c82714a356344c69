# Who makes the experiment. Here and not in onstart, for Snakemake looks for its lock, and for incomplete runs, before that.
from workflow.jobs.requested import requested_records
from workflow.operations.driver import IsBeingMade, drive, require_folder

if workflow.is_main_process and MACHINES and not workflow.output_settings.dryrun:
    try:
        require_folder(str(AT(PLACE.results)))
        LINES = drive(
            str(AT(PLACE.results)),
            runs=lambda: {
                str(AT(one.path)): {"settings": one.settings, "sources": one.sources}
                for one in requested_records(EXPERIMENT)
            },
            alone="MAKELEVEL" in os.environ,  # else it may have targets of its own, which Snakemake's lock tells apart
        )
    except (IsBeingMade, ValueError) as error:
        sys.exit(str(error))
    print(*(f"{line}\n" for line in LINES), sep="", end="", file=sys.stderr)
