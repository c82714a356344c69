"""Learning-rate schedules: one file each, found by its name; plug-in folders add theirs in `schedules/`."""

from records.plugins import list_plugin_folders

__path__ += list_plugin_folders("schedules")
