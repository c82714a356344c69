"""Learning-rate schedules: one file each, found by its name; plug-in folders add theirs in `schedules/`."""

from training.plugins import add_plugin_folders

add_plugin_folders(__path__, folder="schedules")
