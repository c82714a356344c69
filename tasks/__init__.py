"""What is learned: synthetic sequence tasks whose minimal time lag is a parameter.

Tasks are found in this folder and in the folder `tasks` of every path in the environment variable `LAGBENCH_PLUGINS`.
"""

import os
from pathlib import Path

__path__ += [
    str(Path(plugin, "tasks").absolute())
    for plugin in os.environ.get("LAGBENCH_PLUGINS", "").split(os.pathsep)
    if plugin and Path(plugin, "tasks").is_dir()
]
