"""Update rules: one file per optimiser, found by its name; plug-in folders add theirs in `optimisers/`."""

from records.plugins import list_plugin_folders

__path__ += list_plugin_folders("optimisers")
