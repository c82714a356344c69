"""How replicas are trained: one file per protocol, found by its name; plug-in folders add theirs in `protocols/`."""

from records.plugins import list_plugin_folders

__path__ += list_plugin_folders("protocols")
