"""The names, the order and the types of the columns of all tables."""

CONDITION = ["device", "task", "lag", "model", "gradient"]
SERIES = ["device", "task", "model", "gradient"]
REPLICA = [*CONDITION, "seed", "learning_rate"]

_EFFORT = ["parameters", "updates", "sequences", "updates_to_solve", "solved", "diverged", "best_update"]
_HALVES = ["sequences_to_error", "sequences_to_streak"]
_VALIDATION = ["validation_loss", "validation_accuracy", "validation_exact_match"]
_TEST = ["test_loss", "test_accuracy", "test_exact_match"]
_CHANCE = ["chance_loss", "chance_accuracy", "floor_loss", "floor_accuracy", "success_accuracy", "sequence_length"]
_NETWORK = ["task_file", "task_options", "cell", "hidden_size", "model_options", "paths", "k1"]
_TRAINING = ["budget", "protocol", "kernel", "dtype", "optimiser", "batch_size", "clip_norm"]
_EVALUATION = ["evaluate_every", "validation_sequences", "test_sequences"]
_SCORES = [*_VALIDATION, *_TEST, *_CHANCE, "scored_steps"]
SUMMARY = [
    *CONDITION,
    "num_steps",
    "seed",
    "learning_rate",
    *_EFFORT,
    *_HALVES,
    *_SCORES,
    *_NETWORK,
    *_TRAINING,
    *_EVALUATION,
]

CURVES = [*REPLICA, "update", "train_loss", "validation_loss", "validation_accuracy"]

_SOLVED = ["seeds", "solved", "solved_fraction", "solved_low", "solved_high", "solved_on_test"]
_ACCURACY = ["accuracy", "accuracy_low", "accuracy_high", "diverged"]
_UPDATES = ["updates_to_solve_median", "updates_low", "updates_high", "chance_accuracy"]
HORIZON = ["horizon", "horizon_low", "horizon_high", "horizon_censored"]
STATISTICS = [*CONDITION, "num_steps", "learning_rate", *_SOLVED, *_ACCURACY, *_UPDATES, *HORIZON]

_PAIR = ["a_model", "a_gradient", "b_model", "b_gradient", "lags", "pairs"]
COMPARISONS = ["device", "task", *_PAIR, "mean_difference", "low", "high", "p", "p_holm"]

BASELINE = ["device", "task", "lag", "model"]
_GUESSES = ["guesses", "guess_accuracy", "guess_loss"]
CONTROLS = ["guess_accuracy", "guess_loss", "constant_accuracy", "constant_loss", "easy"]
BASELINES = [*BASELINE, *_GUESSES, "constant_accuracy", "constant_loss", "success_accuracy", "easy"]

_MEANS = [f"{name}{limit}" for name in ("accuracy", "loss") for limit in ("", "_low", "_high")]
_EXCESS = ["reach", "reach_law", "floor_accuracy", "floor_loss", *(f"excess_{name}" for name in _MEANS)]
_WINDOW = ["windowing", "num_steps", "k1", "sequence_length"]
SURFACE = [*CONDITION, "paths", *_WINDOW, "learning_rate", "seeds", *_MEANS, "success_accuracy", *_EXCESS, *CONTROLS]

_SEARCHED = ["device", "task", "lag", "variant", "gradient", "trials"]
_BEST = ["best_trials", "best_accuracy", "best_low", "best_high", "best_hidden_size", "best_learning_rate"]
_ALL = ["median_accuracy", "solved", "solved_fraction", "solved_low", "solved_high", "diverged"]
_DISTANCE = ["jobs", "difference", "difference_low", "difference_high", "p", "p_holm", "best_p", "best_p_holm"]
ODYSSEY = [*_SEARCHED, *_BEST, *_ALL, *_DISTANCE, "chance_accuracy"]
SHARES = ["learning_rate_share", "hidden_size_share", "interaction_share", "rest_share"]
IMPORTANCE = [*_SEARCHED, "deviation", *(name for share in SHARES for name in (share, f"{share}_low", f"{share}_high"))]

_PAPER = ["paper_learning_rate", "paper_sequences", "paper_wrong", "trials", "paper_weights"]
_OURS = ["parameters", "weights_agree", *_SOLVED[:-1], "diverged"]
_MEAN = ["sequences_mean", "sequences_low", "sequences_high", "predicted_low", "predicted_high", "verdict"]
_MEDIAN = ["sequences_median", "median_low", "median_high", "error_median", "streak_median"]
_TESTED = ["wrong", "test_sequences", "budget", "chance_accuracy", "notes"]
PUBLISHED = ["table", "experiment", *CONDITION, "learning_rate", *_PAPER, *_OURS, *_MEAN, *_MEDIAN, *_TESTED]

# what the measuring jobs measured (training)
_MEASURED = [*CONDITION, "seed", "snapshot"]
SNAPSHOTS = [*_MEASURED, "update", "solved"]
GRADIENT_VERSUS_LAG = [*CONDITION, "snapshot", "flow", "quantity", "u", "seed", "norm"]
PATH_SHARES = [*CONDITION, "snapshot", "path", "quantity", "u", "seed", "norm", "share"]
ATTRIBUTION = [*CONDITION, "snapshot", "kind", "paths", "quantity", "u", "seed", "norm", "share"]
ALIGNMENT = [*_MEASURED, "update", "solved", "quantity", "cosine", "norm_ratio", "norm"]
TRUNCATION_COST = ["device", "task", "lags", "model", "measure", "pairs", "full", "truncated", "difference"]
TRUNCATION_COST += ["low", "high", "p", "p_holm", "censored"]

_OF_STEP = ["deviation_from_one", "deviation_from_gate", "added"]
_OF_TERMS = ["factor_per_step", "sum_deviation", "whole_over_largest", "lag_over_largest", "beyond_lag"]
DERIVATIVES = ["task", "lag", "model", "flow", "seed", *_OF_STEP, *_OF_TERMS]
_GATES = ["input_gate", "forget_gate", "output_gate"]
CONSTRUCTED = ["flow", "u", "seed", "value", "of_value", "of_hidden", "of_cell", "term", *_GATES]
_DECIDED = ["check", "asks", "check_verdict", "read_from", "rule", "note"]
_NUMBER = ["group", "group_verdict", "estimate", "low", "high", "seeds"]
FINDINGS = ["claim", "statement", "verdict", "condition", *_DECIDED, *_NUMBER]

COVERAGE = [*CONDITION, "seeds_wanted", "seeds_done", "seeds_stale"]

LABELS = {"device", "task", "model", "gradient", "task_file", "task_options", "cell", "model_options", "paths"}
LABELS |= {"protocol", "kernel", "dtype", "optimiser", "a_model", "a_gradient", "b_model", "b_gradient", "lags", "run"}
LABELS |= {"variant", "windowing", "table", "experiment", "verdict", "notes"}
COUNTS = {"lag", "seed", "update", "updates", "sequences", "parameters", "sequence_length", "hidden_size", "budget"}
COUNTS |= {"batch_size", "evaluate_every", "validation_sequences", "test_sequences", "seeds", "pairs", "horizon"}
COUNTS |= {"solved_on_test", "scored_steps", "guesses"}
COUNTS |= {"trials", "best_trials", "best_hidden_size", "jobs"}
COUNTS |= {"paper_sequences", "paper_weights"}
LABELS |= {"snapshot", "flow", "quantity", "path", "kind", "measure"}
COUNTS |= {"u", "censored"}
LABELS |= {"statement", "condition", "asks", "check_verdict", "read_from", "rule", "note", "group", "group_verdict"}
COUNTS |= {"claim", "check"}
COUNTS |= {"seeds_wanted", "seeds_done", "seeds_stale"}
MAYBE_COUNTS = {"sequences_to_error", "sequences_to_streak", "paper_wrong"}
MAYBE_COUNTS |= {"num_steps", "k1", "updates_to_solve", "best_update", "horizon_low", "horizon_high"}
FLAGS = {"solved", "diverged", "horizon_censored", "easy", "weights_agree"}  # solved and diverged may be counts
