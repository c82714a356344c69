"""Refusing published numbers that nothing of the grid reproduces."""

from collections.abc import Mapping
from typing import Any

from workflow.experiment.errors import listed, refuse, unknown

TABLE = "published"


def check_published(config: Mapping[str, Any]) -> None:
    """Raise a ConfigurationError for the first row of `published` that names no condition of the grid."""
    if "published" not in config:
        if TABLE in config["tables"]:
            raise refuse("published", f"the key is missing, and table {TABLE} needs it")
        return
    if config["training"]["protocol"] != "online":
        raise refuse("published", "the published numbers count single sequences: expected training.protocol online")
    seen: dict[tuple[str, str], int] = {}
    for number, row in enumerate(config["published"]):
        key = f"published[{number}]"
        for field in ("task", "model"):
            if row[field] not in config[f"{field}s"]:
                raise unknown(f"{key}.{field}", what=field, came=row[field], known=config[f"{field}s"])
        lags = config["tasks"][row["task"]]["lags"]
        if row["lag"] not in lags:
            raise refuse(f"{key}.lag", f"expected a lag of task {row['task']} ({listed(lags)}); came {row['lag']}")
        if not any(row["task"] in block["tasks"] and row["model"] in block["models"] for block in config["grid"]):
            raise refuse(key, f"no block of the grid runs model {row['model']} on task {row['task']}")
        name = (row["table"], row["experiment"])
        if name in seen:
            raise refuse(f"{key}.experiment", f"published[{seen[name]}] is of this table and experiment too")
        seen[name] = number
