"""Random search: the hidden sizes and learning rates that a configuration samples, and the conditions that they become.

Every sampled size of a model is a model of its own in the grid, labelled `<variant>.h<size>`, and runs the learning
rates that were sampled for this size. The draws depend on the search alone: all variants, tasks and gradients have the
same.
"""

import math
from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

from workflow.experiment.configuration import LABEL_LENGTH
from workflow.experiment.errors import format_value, make_error, make_unknown_name_error

DIGITS = 6  # of a learning rate: the last ones of exp() are not the same on every machine


class SampledSize(NamedTuple):
    """A hidden size, and the learning rates at which it is tried."""

    hidden_size: int
    learning_rates: tuple[float, ...]


def sample_sizes(search: Mapping[str, Any]) -> list[SampledSize]:
    """Return what a search tries, by hidden size.

    Both are log-uniform and stratified (a Latin hypercube of one dimension): n draws fall into n ranges of equal
    probability, one into each; the rates of every size are sampled anew. Sizes are rounded, and the rates of sizes that
    coincide are joined. `random()` of Python's generator is the same in all its versions.
    """
    size, rate = search["hidden_size"], search["learning_rate"]
    rng = Random(search["seed"])
    samples: dict[int, list[float]] = {}
    sizes = [round(x) for x in _log_uniform(rng, size["draws"], low=size["from"] - 0.5, high=size["to"] + 0.5)]
    for sampled in sizes:
        rates = _log_uniform(rng, rate["draws"], low=rate["from"], high=rate["to"])
        kept = samples.setdefault(min(max(sampled, size["from"]), size["to"]), [])
        kept += [float(f"{x:.{DIGITS}g}") for x in rates]
    return [SampledSize(hidden_size, tuple(sorted(rates))) for hidden_size, rates in sorted(samples.items())]


def format_label(variant: str, hidden_size: int) -> str:
    """Return the label of a model at a sampled size."""
    return f"{variant}.h{hidden_size}"


def find_variants(config: Mapping[str, Any]) -> dict[str, str]:
    """Return per label of a sampled model the label that it is a variant of, in the configuration's order."""
    if "search" not in config:
        return {}
    named = {model for block in config["grid"] for model in block["models"]}
    sizes = [sample.hidden_size for sample in sample_sizes(config["search"])]
    return {format_label(model, size): model for model in config["models"] if model in named for size in sizes}


def expand_search(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration whose search is carried out: with a model per sampled size, and blocks that run them."""
    if "search" not in config:
        return dict(config)
    samples = sample_sizes(config["search"])
    models = {
        format_label(variant, sample.hidden_size): config["models"][variant] | {"hidden_size": sample.hidden_size}
        for variant in dict.fromkeys(find_variants(config).values())
        for sample in samples
    }
    grid = [
        block
        | {"models": [format_label(model, sample.hidden_size) for model in block["models"]]}
        | {"learning_rates": list(sample.learning_rates)}
        for block in config["grid"]
        for sample in samples
    ]
    return {**config, "models": {**config["models"], **models}, "grid": grid}


def check_search(config: Mapping[str, Any]) -> None:
    """Raise a ConfigurationError for the first mistake of a search, or for a table that needs one."""
    if "search" not in config:
        return
    search = config["search"]
    for name in ("hidden_size", "learning_rate"):
        if search[name]["from"] >= search[name]["to"]:
            low, high = (format_value(search[name][end]) for end in ("from", "to"))
            raise make_error(f"search.{name}", f"expected from < to; came from: {low}, to: {high}")
    for sample in sample_sizes(search):
        if len(set(sample.learning_rates)) < len(sample.learning_rates):
            raise make_error(
                "search.learning_rate", f"expected a wider range; two of its draws are equal to {DIGITS} digits"
            )
    for number, block in enumerate(config["grid"]):
        if "learning_rates" in block:
            raise make_error(f"grid[{number}].learning_rates", "the search samples the learning rates of every block")
    for label, variant in find_variants(config).items():
        if label in config["models"]:
            raise make_error(f"models.{label}", f"the search gives this label to {variant}: choose another")
        if len(label) > LABEL_LENGTH:
            why = f"the search labels it {label}; expected at most {LABEL_LENGTH} characters"
            raise make_error(f"models.{variant}", why)
    named = sorted(set(find_variants(config).values()))
    if search["reference"] not in named:
        raise make_unknown_name_error(
            "search.reference", kind="model of the grid", came=search["reference"], names=named
        )


def _log_uniform(rng: Random, count: int, *, low: float, high: float) -> list[float]:
    """Return a draw of each of `count` equally probable ranges of a log-uniform distribution, ascending."""
    places = [(rank + rng.random()) / count for rank in range(count)]
    return [low * math.exp(place * math.log(high / low)) for place in places]
