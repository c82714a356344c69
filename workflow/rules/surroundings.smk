# Where this workflow lies, and what its jobs find in their environment (also when another workflow imports it).
import os
import sys
from pathlib import Path

ROOT = Path(str(workflow.current_basedir.path)).parents[1]
IS_IMPORTED = not workflow.modifier.is_main_snakefile()
PACKAGES = ("workflow", "records", "training", "models", "tasks")


def take_modules():
    """Take the modules of our packages' names out of those that are imported, and return them."""
    names = [name for name in sys.modules if name.partition(".")[0] in PACKAGES]
    return {name: sys.modules.pop(name) for name in names}


def give_back_names():
    """Give a workflow that imports this one its own packages of these names back, and its folders the first place."""
    if IS_IMPORTED:
        take_modules()
        sys.modules.update(OUTER)
        ours = {str(ROOT), str(ROOT / "workflow" / "rules")}  # the latter is Snakemake's doing
        sys.path[:] = [path for path in sys.path if path not in ours] + [str(ROOT)]


OUTER = take_modules() if IS_IMPORTED else {}
sys.path.insert(0, str(ROOT))

from workflow.experiment.gate import admit, default_file, require_devices

# Jobs run under the Python that runs Snakemake, so that no virtual environment need be active; under conda, under its own.
# These stand in the environment and not in a rule's params or code, because no result depends on them.
os.environ.update(
    LAGBENCH_ROOT=str(ROOT),
    LAGBENCH_LIMITED="yes" if workflow.remote_exec else "",
    LAGBENCH_PYTHON=("python" if workflow.deployment_settings.deployment_method else sys.executable),
)
