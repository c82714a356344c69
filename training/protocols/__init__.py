"""How replicas are trained: one file per protocol, found by its name; plug-in folders add theirs in `protocols/`."""

from training.plugins import add_plugin_folders

add_plugin_folders(__path__, folder="protocols")
