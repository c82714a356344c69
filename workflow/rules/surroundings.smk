# Where this workflow lies, and what its jobs find in their environment (also when another workflow imports it).
import os
import sys
import time
from pathlib import Path

ROOT = Path(str(workflow.current_basedir.path)).parents[1]
BEGAN = time.time()
sys.path.insert(0, str(ROOT))

from workflow.experiment.gate import admit, admit_claims, default_file, require_devices

# Jobs run under the Python that runs Snakemake, so that no virtual environment need be active; under conda, under its own.
# These stand in the environment and not in a rule's params or code, because no result depends on them.
os.environ.update(
    LAGBENCH_ROOT=str(ROOT),
    LAGBENCH_LIMITED="yes" if workflow.remote_exec else "",
    LAGBENCH_PYTHON=("python" if workflow.deployment_settings.deployment_method else sys.executable),
)
