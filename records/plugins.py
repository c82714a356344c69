"""The user's plug-in folders, which the environment variable LAGBENCH_PLUGINS lists."""

import os
from pathlib import Path


def list_plugin_folders(kind: str) -> list[str]:
    """Return the folders of the plug-ins that have a folder of this kind, such as `tables`."""
    paths = filter(None, os.environ.get("LAGBENCH_PLUGINS", "").split(os.pathsep))
    return [str(Path(path, kind).absolute()) for path in paths if Path(path, kind).is_dir()]
