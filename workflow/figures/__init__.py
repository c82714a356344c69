"""One file per figure, here and in the folder `figures` of every plug-in: `NEEDS` names its tables, `draw` draws it."""

import os

from records.plugins import list_plugin_folders

os.environ["MPLBACKEND"] = "agg"  # a notebook's backend is not there in a job, and importing matplotlib would fail
__path__ += list_plugin_folders("figures")
