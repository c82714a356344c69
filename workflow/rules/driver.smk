# One Snakemake at a time computes the experiment. Here and not in onstart, before which Snakemake looks for its lock.
from snakemake.persistence.file import FilePersistence

from workflow.operations.driver import OtherDriverError, drive, require_folder

if workflow.is_main_process and MACHINES and not workflow.output_settings.dryrun:
    try:
        require_folder(str(AT(PLACE.results)))
        LINES = drive(str(AT(PLACE.results)), persistence=FilePersistence)
    except (OtherDriverError, ValueError) as error:
        sys.exit(str(error))
    print(*(f"{line}\n" for line in LINES), sep="", end="", file=sys.stderr)
