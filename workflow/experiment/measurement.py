"""Refusing a measurement of the gradient that cannot be made."""

from collections.abc import Mapping
from typing import Any

from workflow.experiment.errors import listed, refuse, shown, unknown


def check_measurement(config: Mapping[str, Any]) -> None:
    """Raise a ConfigurationError for the first mistake."""
    asked = config.get("measurement")
    if asked is None:
        return
    if config["training"]["protocol"] != "minibatch" or "search" in config:
        came = "a search" if "search" in config else f"training.protocol: {config['training']['protocol']}"
        raise refuse("measurement", f"expected training.protocol: minibatch and no search; came {came}")
    for number, block in enumerate(config["grid"]):
        rates = block.get("learning_rates", config["learning_rates"])
        if asked["learning_rate"] not in rates:
            place = f"grid[{number}].learning_rates" if "learning_rates" in block else "learning_rates"
            raise refuse(
                "measurement.learning_rate", f"expected one of {place}, {listed(rates)}; came {asked['learning_rate']}"
            )
    most = config["training"]["validation_sequences"]
    if asked["sequences"] > most:
        raise refuse(
            "measurement.sequences",
            f"expected at most training.validation_sequences = {most}; came {asked['sequences']}",
        )
    for label in asked["flows"]:
        if label not in config["gradients"]:
            raise unknown("measurement.flows", what="gradient", came=label, known=config["gradients"])
        window = [key for key in ("num_steps", "k1", "k2") if config["gradients"][label].get(key) is not None]
        if window:
            came = ", ".join(f"{key}: {config['gradients'][label][key]}" for key in window)
            raise refuse("measurement.flows", f"expected gradients without a window; came {shown(label)} with {came}")
