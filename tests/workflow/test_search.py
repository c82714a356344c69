"""Random search: what is drawn, the conditions that it becomes, and what is refused."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.settings import TINY
from workflow.experiment.errors import ConfigurationError
from workflow.experiment.experiment import Experiment
from workflow.experiment.reading import merge
from workflow.experiment.search import sample_sizes
from workflow.jobs.requested import list_requests

ROOT = Path(__file__).resolve().parents[2]
SEARCH = {
    "hidden_size": {"draws": 5, "from": 4, "to": 64},
    "learning_rate": {"draws": 6, "from": 0.001, "to": 0.1},
    "seed": 3,
    "reference": "lstm",
}
BLOCK = {"devices": ["cpu"], "tasks": ["adding", "copy"], "models": ["lstm_peephole", "lstm"], "gradients": ["full"]}


def config(**changes: object) -> dict:
    return merge(TINY, {"grid": [BLOCK], "search": merge(SEARCH, changes)})


def experiment(**changes: object) -> Experiment:
    return Experiment(config(**changes), root=ROOT)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_draws_are_one_in_each_of_as_many_equally_probable_ranges():
    sampled = sample_sizes(SEARCH)
    sizes, rates = SEARCH["hidden_size"], SEARCH["learning_rate"]
    edges = [3.5 * (64.5 / 3.5) ** (k / sizes["draws"]) for k in range(sizes["draws"] + 1)]
    for draw, (low, high) in zip(sampled, pairwise(edges), strict=True):
        assert low - 0.5 <= draw.hidden_size <= high + 0.5
        places = [math.log10(rate) / 2 + 1.5 for rate in draw.learning_rates]  # 0.001 is 0, 0.1 is 1
        assert [math.floor(place * rates["draws"]) for place in places] == list(range(rates["draws"]))
    assert len({draw.learning_rates for draw in sampled}) == len(sampled)


def test_draws_of_many_seeds_are_log_uniform():
    actual = [draw for seed in range(400) for draw in sample_sizes(SEARCH | {"seed": seed})]
    rates = np.log([rate for draw in actual for rate in draw.learning_rates])
    sizes = np.array([draw.hidden_size for draw in actual for _ in draw.learning_rates])
    assert stats.kstest(rates, stats.uniform(math.log(0.001), math.log(100)).cdf).pvalue > 0.01
    for size in (4, 7, 30):
        share = math.log((size + 0.5) / (size - 0.5)) / math.log(64.5 / 3.5)
        assert (sizes == size).mean() == pytest.approx(share, abs=4 * math.sqrt(share / 2000))
    assert set(sizes) <= set(range(4, 65))


def test_draws_are_those_of_the_seed_in_every_process_and_version():
    assert sample_sizes(SEARCH)[0] == (4, (0.00105158, 0.00217632, 0.0088272, 0.0122026, 0.0257895, 0.0996663))
    assert sample_sizes(SEARCH | {"seed": 4}) != sample_sizes(SEARCH)


def test_sizes_that_coincide_join_their_rates():
    few = sample_sizes(merge(SEARCH, {"hidden_size": {"from": 4, "to": 6}}))
    assert len(few) < 5
    assert sum(len(draw.learning_rates) for draw in few) == 30
    assert all(list(draw.learning_rates) == sorted(set(draw.learning_rates)) for draw in few)


def test_every_model_task_and_gradient_has_the_same_trials():
    searched = experiment()
    trials: dict[tuple[str, str], set] = {}
    for condition in searched.conditions:
        settings = searched.settings(condition, [0, 1, 2])
        variant = searched.config["search"]["variants"][condition.model]
        size = settings["model"]["hidden_size"]
        assert settings["model"]["name"] == condition.model == f"{variant}.h{size}"
        assert settings["model"]["options"]["peepholes"] == (variant == "lstm_peephole")
        trials.setdefault((variant, f"{condition.task} {condition.lag}"), set()).update(
            (size, rate) for rate in settings["learning_rates"]
        )
    assert set(trials) == {(model, task) for model in BLOCK["models"] for task in ("adding 2", "adding 3", "copy 11")}
    sampled = {(draw.hidden_size, rate) for draw in sample_sizes(SEARCH) for rate in draw.learning_rates}
    assert all(actual == sampled for actual in trials.values())
    assert len(list_requests(searched, "run")) == 5 * 2 * 3


def test_variants_come_in_the_order_of_the_configuration():
    assert list(dict.fromkeys(experiment().config["search"]["variants"].values())) == ["lstm", "lstm_peephole"]


def test_another_draw_leaves_the_runs_of_the_sizes_that_stay():
    """A condition is what it is by its settings; how it came into the grid is not among them."""
    searched, other = experiment(), experiment(reference="lstm_peephole")
    assert list_requests(searched, "run") == list_requests(other, "run")
    condition = searched.conditions[0]
    model = condition.model
    size = searched.config["models"][model]["hidden_size"]
    rates = searched.settings(condition, [0])["learning_rates"]
    spelled = merge(TINY, {"models": {model: TINY["models"]["lstm"] | {"hidden_size": size}}})
    spelled["grid"] = [BLOCK | {"models": [model], "learning_rates": rates}]
    written = Experiment(spelled, root=ROOT)
    assert written.settings(condition, [0]) == searched.settings(condition, [0])


def test_undrawn_is_the_model_as_configured():
    searched = experiment()
    actual = {searched.restore_model(condition) for condition in searched.conditions}
    assert {condition.model for condition in actual} == {"lstm", "lstm_peephole"}
    settings = searched.settings(min(actual), [0])["model"]
    assert (settings["name"], settings["hidden_size"]) == ("lstm", TINY["models"]["lstm"]["hidden_size"])
    plain = Experiment(TINY, root=ROOT)
    assert [plain.restore_model(condition) for condition in plain.conditions] == plain.conditions


def test_without_a_search_nothing_changes():
    plain = Experiment(TINY, root=ROOT)
    assert plain.config == plain.given


LONG = "x" * 62
MALFORMED = [
    ({"search": {"seeds": 1}}, "search.seeds:", "unknown key; known: hidden_size, learning_rate, seed, reference"),
    ({"search": {"hidden_size": {"draws": 1}}}, "search.hidden_size.draws:", "an integer >= 2 and <= 64; came 1"),
    ({"search": {"hidden_size": {"from": 64}}}, "search.hidden_size:", "expected from < to; came from: 64, to: 64"),
    ({"search": {"learning_rate": {"to": 0.0001}}}, "search.learning_rate:", "came from: 0.001, to: 0.0001"),
    ({"search": {"learning_rate": {"to": 0.001000001}}}, "search.learning_rate:", "expected a wider range"),
    ({"search": {"learning_rate": {"from": 0}}}, "search.learning_rate.from:", "a number > 0"),
    ({"search": {"reference": "lsmt"}}, "search.reference:", "known: lstm, lstm_peephole; did you mean lstm?"),
    ({"search": {"reference": "rnn"}}, "search.reference:", "unknown model of the grid 'rnn'"),
    ({"grid": [BLOCK | {"learning_rates": [0.1]}]}, "grid[0].learning_rates:", "the search samples the learning rates"),
    ({"models": {"lstm.h9": TINY["models"]["lstm"]}}, "models.lstm.h9:", "the search gives this label to lstm"),
    (
        {"models": {LONG: TINY["models"]["lstm"]}, "grid": [BLOCK | {"models": [LONG, "lstm"]}]},
        f"models.{LONG}:",
        "expected at most 64 characters",
    ),
]


@pytest.mark.parametrize(("changes", "key", "says"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_search_is_refused_in_one_line(changes, key, says):
    with pytest.raises(ConfigurationError) as caught:
        Experiment(merge(config(), changes), root=ROOT)
    line = str(caught.value)
    assert line.startswith(f"config: {key}")
    assert says in line
    assert line.isprintable()


@pytest.mark.parametrize("table", ["odyssey", "odyssey_importance"])
def test_a_table_of_a_search_needs_one(table):
    with pytest.raises(
        ConfigurationError, match=rf"^config: search: the key is missing; it is needed, as tables names {table}$"
    ):
        Experiment(merge(TINY, {"tables": [table]}), root=ROOT)
    assert Experiment(config() | {"tables": [table]}, root=ROOT).conditions
