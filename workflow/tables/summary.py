"""One row per replica: how it was trained, whether it solved the task, and what it scored."""

from collections.abc import Iterator
from typing import Any

from records.canonical_json import format_canonical_json
from records.condition import Condition
from workflow.experiment.experiment import Experiment
from workflow.statistics.replicas import REPLICA
from workflow.tables.schema.columns import CHANCE, CONDITION, WINDOW, Records, count, flag, number, optional_count, text

RECORDS = "run"
KEY = tuple(REPLICA)
COLUMNS = {
    **CONDITION,
    "num_steps": WINDOW,
    "seed": count("seed of the initial weights and the data"),
    "learning_rate": number("the learning rate"),
    "parameters": count("weights of one network, readout included"),
    "updates": count("how many updates it trained"),
    "sequences": count("how many sequences it trained on, whole batches of the budget"),
    "updates_to_solve": optional_count(
        "first evaluation at the success criterion on validation data, to the resolution of `evaluate_every`; empty: "
        "never"
    ),
    "solved": flag("whether it reached the success criterion"),
    "diverged": flag("whether a loss or gradient was not finite; the replica then left with its best weights"),
    "best_update": optional_count("the update of its best validation accuracy (then loss), whose weights are scored"),
    "sequences_to_error": optional_count(
        "protocol `online`: the first sequence at which the mean error of the last so many was below its threshold, "
        "one half of the published stop rule; empty: never, or no such half"
    ),
    "sequences_to_streak": optional_count("the same of the other half: the last so many sequences right"),
    "validation_loss": number("of the weights that are scored, on validation data"),
    "validation_accuracy": number("the same"),
    "validation_exact_match": number("share of sequences of which all scored steps are right"),
    "test_loss": number("of these weights, scored once on fresh data"),
    "test_accuracy": number("the same"),
    "test_exact_match": number("the same"),
    "chance_loss": number("of the best predictor that remembers nothing, in closed form"),
    "chance_accuracy": CHANCE,
    "floor_loss": number("of the best predictor that sees only the last `num_steps` steps, in closed form"),
    "floor_accuracy": number("accuracy of that predictor"),
    "success_accuracy": number("the task's success criterion"),
    "sequence_length": count("steps of the longest sequence"),
    "scored_steps": count("how many of them the accuracy is about"),
    "task_file": text("the task's file"),
    "task_options": text("its options, as JSON"),
    "cell": text("the cell's file"),
    "hidden_size": count("units of the cell"),
    "model_options": text("the cell's options, as JSON"),
    "paths": text("the paths that carry error back, joined by +"),
    "k1": optional_count("steps between two backward passes; empty: the whole sequence"),
    "budget": count("the config's `sequences`"),
    "protocol": text("how it was trained"),
    "kernel": text("the kernel that ran"),
    "dtype": text("type of weights and states"),
    "optimiser": text("the optimiser and its options, as JSON"),
    "batch_size": count("sequences of one update"),
    "clip_norm": number("the gradient's norm is at most this; empty: any"),
    "evaluate_every": count("updates between two evaluations"),
    "validation_sequences": count("sequences of an evaluation"),
    "test_sequences": count("sequences of the test"),
}


def compute(records: Records, experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Compute the rows from run records."""
    for run in records:
        settings, training = run["settings"], run["settings"]["training"]
        task, model, gradient = settings["task"], settings["model"], settings["gradient"]
        predictors = {f"{name}_{score}": run[name][score] for name in ("chance", "floor") for score in run[name]}
        of_run = (
            training
            | run
            | predictors
            | Condition.from_settings(settings)._asdict()
            | {"task_file": task["task"], "task_options": format_canonical_json(task["options"])}
            | {"budget": task["sequences"], "optimiser": format_canonical_json(settings["optimiser"])}
            | {"cell": model["cell"], "hidden_size": model["hidden_size"]}
            | {"model_options": format_canonical_json(model["options"])}
            | {"paths": "+".join(gradient["paths"]), "k1": gradient["k1"], "num_steps": gradient["k2"]}
        )
        for replica in run["replicas"]:
            yield of_run | replica | {"sequences": replica["updates"] * training["batch_size"]}
