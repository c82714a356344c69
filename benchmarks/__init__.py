"""The speed and memory of the fused CPU kernel beside its rivals, measured side by side in one run."""
