"""Update rules: one file per optimiser, found by its name; plug-in folders add theirs in `optimisers/`."""

from training.plugins import add_plugin_folders

add_plugin_folders(__path__, folder="optimisers")
