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
from workflow.experiment.errors import make_error, require, require_name

DIGITS = 6  # of a learning rate: the last ones of exp() are not the same on every machine


class SampledSize(NamedTuple):
    """A hidden size, and the learning rates at which it is tried."""

    hidden_size: int
    learning_rates: tuple[float, ...]

    def label(self, variant: str) -> str:
        """Return the label of a model at this size."""
        return f"{variant}.h{self.hidden_size}"


def sample_sizes(search: Mapping[str, Any]) -> list[SampledSize]:
    """Return what a search tries, by hidden size.

    Both are log-uniform and stratified (a Latin hypercube of one dimension): n draws fall into n ranges of equal
    probability, one into each; the rates of every size are sampled anew. Sizes are rounded, and the rates of sizes that
    coincide are joined. `random()` of Python's generator is the same in all its versions.
    """
    size, rate = search["hidden_size"], search["learning_rate"]
    rng = Random(search["seed"])
    samples: dict[int, list[float]] = {}
    for sampled in _log_uniform(rng, size["draws"], low=size["from"] - 0.5, high=size["to"] + 0.5):
        rates = _log_uniform(rng, rate["draws"], low=rate["from"], high=rate["to"])
        kept = samples.setdefault(min(max(round(sampled), size["from"]), size["to"]), [])
        kept += [float(f"{x:.{DIGITS}g}") for x in rates]
    return [SampledSize(hidden_size, tuple(sorted(rates))) for hidden_size, rates in sorted(samples.items())]


def expand_search(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration whose search is carried out: with a model per sampled size, and blocks that run them.

    `variants` of its search has per label of a sampled model the label that this is a variant of.
    """
    if "search" not in config:
        return dict(config)
    sampled = _label_samples(config)
    models = {
        label: config["models"][variant] | {"hidden_size": sample.hidden_size}
        for label, (variant, sample) in sampled.items()
    }
    grid = [
        block | {"models": list(map(sample.label, block["models"])), "learning_rates": list(sample.learning_rates)}
        for block in config["grid"]
        for sample in sample_sizes(config["search"])
    ]
    variants = {label: variant for label, (variant, _) in sampled.items()}
    search = config["search"] | {"variants": variants}
    return {**config, "search": search, "models": config["models"] | models, "grid": grid}


def check_search(config: Mapping[str, Any]) -> None:
    """Raise a ConfigurationError for the first mistake of a search."""
    if "search" not in config:
        return
    search = config["search"]
    for sample in sample_sizes(search):
        if len(set(sample.learning_rates)) < len(sample.learning_rates):
            why = f"expected a wider range; two of its draws are equal to {DIGITS} digits"
            raise make_error("search.learning_rate", why)
    for number, block in enumerate(config["grid"]):
        if "learning_rates" in block:
            raise make_error(f"grid[{number}].learning_rates", "the search samples the learning rates of every block")
    sampled = _label_samples(config)
    for label, (variant, _) in sampled.items():
        if label in config["models"]:
            raise make_error(f"models.{label}", f"the search gives this label to {variant}: choose another")
        fits = len(label) <= LABEL_LENGTH
        require(fits, f"models.{variant}", f"at most {LABEL_LENGTH} characters", f"{label}, as the search labels it")
    names = {variant for variant, _ in sampled.values()}
    require_name("search.reference", search["reference"], names=names, kind="model of the grid")


def _label_samples(config: Mapping[str, Any]) -> dict[str, tuple[str, SampledSize]]:
    """Return the models of the grid with each of the sampled sizes, by label, in the configuration's order."""
    samples, named = sample_sizes(config["search"]), {model for block in config["grid"] for model in block["models"]}
    models = [model for model in config["models"] if model in named]
    return {sample.label(model): (model, sample) for model in models for sample in samples}


def _log_uniform(rng: Random, count: int, *, low: float, high: float) -> list[float]:
    """Return a draw of each of `count` equally probable ranges of a log-uniform distribution, ascending."""
    places = [(rank + rng.random()) / count for rank in range(count)]
    return [low * math.exp(place * math.log(high / low)) for place in places]
