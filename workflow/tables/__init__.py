"""One file per table, here and in the folder `tables` of every plug-in: what it needs, its columns, and `compute`."""

from records.plugins import list_plugin_folders

__path__ += list_plugin_folders("tables")
