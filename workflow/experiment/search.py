"""Random search: the hidden sizes and learning rates that a configuration draws, and the conditions that they become.

Every drawn size of a model is a model of its own in the grid, labelled `<variant>.h<size>`, and runs the learning rates
that were drawn for this size. The draws depend on the search alone: all variants, tasks and gradients have the same.
"""

import math
from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

from workflow.experiment.errors import refuse, shown, unknown

DIGITS = 6  # of a learning rate: the last ones of exp() are not the same on every machine
LABEL_LIMIT = 64  # characters of a label, as in the schema
TABLES = ("odyssey", "odyssey_importance")  # make no sense without a search


class Draw(NamedTuple):
    """A hidden size, and the learning rates at which it is tried."""

    hidden_size: int
    learning_rates: tuple[float, ...]


def draws(search: Mapping[str, Any]) -> list[Draw]:
    """Return what a search tries, by hidden size.

    Both are log-uniform and stratified (a Latin hypercube of one dimension): n draws fall into n ranges of equal
    probability, one into each; the rates of every size are drawn anew. Sizes are rounded, and the rates of sizes that
    coincide are joined. `random()` of Python's generator is the same in all its versions.
    """
    size, rate = search["hidden_size"], search["learning_rate"]
    rng = Random(search["seed"])
    found: dict[int, list[float]] = {}
    sizes = [round(x) for x in _log_uniform(rng, size["draws"], low=size["from"] - 0.5, high=size["to"] + 0.5)]
    for drawn in sizes:
        rates = _log_uniform(rng, rate["draws"], low=rate["from"], high=rate["to"])
        kept = found.setdefault(min(max(drawn, size["from"]), size["to"]), [])
        kept += [float(f"{x:.{DIGITS}g}") for x in rates]
    return [Draw(hidden_size, tuple(sorted(rates))) for hidden_size, rates in sorted(found.items())]


def label_of(variant: str, hidden_size: int) -> str:
    """Return the label of a model at a drawn size."""
    return f"{variant}.h{hidden_size}"


def variants(config: Mapping[str, Any]) -> dict[str, str]:
    """Return per label of a drawn model the label that it is a variant of, in the configuration's order."""
    if "search" not in config:
        return {}
    named = {model for block in config["grid"] for model in block["models"]}
    sizes = [draw.hidden_size for draw in draws(config["search"])]
    return {label_of(model, size): model for model in config["models"] if model in named for size in sizes}


def expanded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration whose search is carried out: with a model per drawn size, and blocks that run them."""
    if "search" not in config:
        return dict(config)
    found = draws(config["search"])
    models = {
        label_of(variant, draw.hidden_size): config["models"][variant] | {"hidden_size": draw.hidden_size}
        for variant in dict.fromkeys(variants(config).values())
        for draw in found
    }
    grid = [
        block
        | {"models": [label_of(model, draw.hidden_size) for model in block["models"]]}
        | {"learning_rates": list(draw.learning_rates)}
        for block in config["grid"]
        for draw in found
    ]
    return {**config, "models": {**config["models"], **models}, "grid": grid}


def check_search(config: Mapping[str, Any]) -> None:
    """Raise a ConfigurationError for the first mistake of a search, or for a table that needs one."""
    if "search" not in config:
        for table in TABLES:
            if table in config["tables"]:
                raise refuse("search", f"the key is missing, and table {table} needs it")
        return
    search = config["search"]
    for name in ("hidden_size", "learning_rate"):
        if search[name]["from"] >= search[name]["to"]:
            low, high = (shown(search[name][end]) for end in ("from", "to"))
            raise refuse(f"search.{name}", f"expected from < to; came from: {low}, to: {high}")
    for draw in draws(search):
        if len(set(draw.learning_rates)) < len(draw.learning_rates):
            raise refuse(
                "search.learning_rate", f"expected a wider range; two of its draws are equal to {DIGITS} digits"
            )
    for number, block in enumerate(config["grid"]):
        if "learning_rates" in block:
            raise refuse(f"grid[{number}].learning_rates", "the search draws the learning rates of every block")
    for label, variant in variants(config).items():
        if label in config["models"]:
            raise refuse(f"models.{label}", f"the search gives this label to {variant}: choose another")
        if len(label) > LABEL_LIMIT:
            why = f"the search labels it {label}; expected at most {LABEL_LIMIT} characters"
            raise refuse(f"models.{variant}", why)
    named = sorted(set(variants(config).values()))
    if search["reference"] not in named:
        raise unknown("search.reference", what="model of the grid", came=search["reference"], known=named)


def _log_uniform(rng: Random, count: int, *, low: float, high: float) -> list[float]:
    """Return a draw of each of `count` equally probable ranges of a log-uniform distribution, ascending."""
    places = [(rank + rng.random()) / count for rank in range(count)]
    return [low * math.exp(place * math.log(high / low)) for place in places]
