"""Malformed configurations: each is refused with one line that names the key, what came and what is allowed."""

import itertools
from pathlib import Path

import pytest
import yaml

from tests.settings import TINY
from workflow.experiment.declarations import load_registry
from workflow.experiment.errors import ConfigurationError
from workflow.experiment.experiment import Experiment, complete
from workflow.experiment.gate import admit, admit_file
from workflow.experiment.reading import merge, read
from workflow.experiment.source_tree import SourceTree
from workflow.experiment.validation import validate

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = load_registry(SourceTree(ROOT))
CELLS = ", ".join(REGISTRY.cells)


def grid(**changes: object) -> dict:
    block = {"devices": ["cpu"], "tasks": ["adding"], "models": ["lstm"], "gradients": ["full"]}
    return {"grid": [block | changes]}


def measurement(**changes: object) -> dict:
    request = {"learning_rate": 0.01, "sequences": 4, "evaluations": 2, "flows": ["full"]}
    return {"measurement": request | changes}


NAN, INFINITY = float("nan"), float("inf")
LSTM_1997 = {
    "cell": "lstm_1997",
    "hidden_size": 4,
    "block_size": 2,
    "input_gate_bias": -2,
    "biases": True,
    "bound": 0.1,
}
MALFORMED = [
    # the changes, the key named, what else the line says
    ({"seed": [0]}, "seed:", ["unknown key", "known: experiment, grid, seeds", "did you mean seeds?"]),
    ({"seeds": []}, "seeds:", ["at least 1", "came []"]),
    ({"seeds": [0, 0]}, "seeds:", ["different items", "came 0 twice"]),
    ({"seeds": [-1]}, "seeds[0]:", ["an integer >= 0", "came -1"]),
    ({"seeds": [0.5]}, "seeds[0]:", ["an integer >= 0", "came 0.5"]),
    ({"seeds": [True]}, "seeds[0]:", ["an integer >= 0", "came true"]),
    ({"seeds": ["0"]}, "seeds[0]:", ["an integer >= 0", "came '0'", "reads as text"]),
    ({"seeds": [2**40]}, "seeds[0]:", ["<= 4294967295", "came 1099511627776"]),
    ({"seeds": 3}, "seeds:", ["a list of", "came 3"]),
    ({"seeds": None}, "seeds:", ["a list of", "came null"]),
    ({"seeds": list(range(50_000)) * 2}, "seeds:", ["different items", "came 0 twice"]),
    ({"seeds": ["x" * 100_000]}, "seeds[0]:", ["an integer", "..."]),
    ({"learning_rates": ["1e-3"]}, "learning_rates[0]:", ["a number > 0", "came '1e-3'", "point before an exponent"]),
    ({"learning_rates": [NAN]}, "learning_rates[0]:", ["a finite number", "came nan"]),
    ({"learning_rates": [INFINITY]}, "learning_rates[0]:", ["a finite number", "came inf"]),
    ({"learning_rates": [0]}, "learning_rates[0]:", ["a number > 0", "came 0"]),
    ({"learning_rates": [True]}, "learning_rates[0]:", ["a number > 0", "came true"]),
    ({"learning_rates": [i / 1000 for i in range(1, 200)]}, "learning_rates:", ["1 to 64 different items"]),
    ({"seeds_per_job": 0}, "seeds_per_job:", ["an integer >= 1", "came 0"]),
    ({"threads": "all"}, "threads:", ["an integer >= 1", "came 'all'"]),
    ({"experiment": ".hidden"}, "experiment:", ["a label of letters", "came '.hidden'"]),
    ({"experiment": "../up"}, "experiment:", ["a label of letters", "came '../up'"]),
    ({"experiment": "-rf"}, "experiment:", ["not starting with . or -", "came '-rf'"]),
    ({"experiment": "new\nline"}, "experiment:", ["a label of letters", "came 'new\\nline'"]),
    ({"experiment": "trailing\n"}, "experiment:", ["a label of letters"]),
    ({"experiment": "x" * 65}, "experiment:", ["at most 64 characters"]),
    ({"experiment": 7}, "experiment:", ["a label of letters", "came 7"]),
    ({"models": {"a/b": {"cell": "rnn"}}}, "models.a/b:", ["a label of letters", "came 'a/b'"]),
    ({"models": {"new\nline": {"cell": "rnn"}}}, "models.new\\nline:", ["a label of letters"]),
    ({"models": {1997: {"cell": "rnn"}}}, "models:", ["keys that are text", "came 1997", "quotes"]),
    ({"models": {"lstm": None}}, "models.lstm:", ["a mapping", "came null"]),
    ({"models": {"lstm": {"hiden_size": 3}}}, "models.lstm.hiden_size:", ["unknown key", "did you mean hidden_size?"]),
    ({"models": {"lstm": {"hidden_size": 0}}}, "models.lstm.hidden_size:", ["an integer >= 1", "came 0"]),
    ({"models": {"lstm": {"cell": "lsmt"}}}, "models.lstm.cell:", [f"known: {CELLS}", "did you mean lstm?"]),
    ({"models": {"lstm": {"cell": ["lstm"]}}}, "models.lstm.cell:", ["unknown cell ['lstm']", f"known: {CELLS}"]),
    ({"models": {"new": {"hidden_size": 3}}}, "models.new.cell:", ["missing", f"one of {CELLS}"]),
    ({"models": {"new": {"cell": "rnn", "hidden_size": 3}}}, "models.new.initialisation:", ["uniform, orthogonal"]),
    ({"models": {"rnn": {"peepholes": True}}}, "models.rnn.peepholes:", ["unknown key", "initialisation"]),
    ({"models": {"rnn": {"initialisation": "ortho"}}}, "models.rnn.initialisation:", ["did you mean orthogonal?"]),
    ({"models": {"lstm": {"peepholes": "yes"}}}, "models.lstm.peepholes:", ["true or false", "came 'yes'"]),
    (
        {"models": {"blocks": LSTM_1997 | {"block_size": 3}}},
        "models.blocks.block_size:",
        ["a divisor of hidden_size = 4", "came 3"],
    ),
    ({"models": {"blocks": LSTM_1997 | {"bound": 0}}}, "models.blocks.bound:", ["a number > 0", "came 0"]),
    ({"models": {"lstm": {"forget_bias": "crono"}}}, "models.lstm.forget_bias:", ["a number or chrono", "'crono'"]),
    (
        {"models": {"lstm": {"forget_gate": False, "forget_bias": "chrono"}}},
        "models.lstm:",
        ["chrono needs a forget gate", "came forget_gate: false, forget_bias: 'chrono'"],
    ),
    (
        {"tasks": {"adding": {"variant": "unifrom"}}},
        "tasks.adding.variant:",
        ["uniform, hochreiter1997", "mean uniform"],
    ),
    ({"tasks": {"adding": {"task": "ading"}}}, "tasks.adding.task:", ["known: adding, copy", "did you mean adding?"]),
    ({"tasks": {"adding": {"lag": 5}}}, "tasks.adding.lag:", ["unknown key", "did you mean lags?"]),
    ({"tasks": {"adding": {"lags": []}}}, "tasks.adding.lags:", ["at least 1", "came []"]),
    ({"tasks": {"adding": {"lags": [5, 5]}}}, "tasks.adding.lags:", ["different items", "came 5 twice"]),
    ({"tasks": {"copy": {"lags": [10]}}}, "tasks.copy.lags:", ["lags >= 11", "loss: 'recall'", "came 10"]),
    ({"tasks": {"temporal_order": {"symbols": 4}}}, "tasks.temporal_order.symbols:", ["one of 2, 3", "came 4"]),
    ({"tasks": {"temporal_order": {"symbols": True}}}, "tasks.temporal_order.symbols:", ["one of 2, 3", "came true"]),
    ({"tasks": {"adding": {"sequences": 0}}}, "tasks.adding.sequences:", ["an integer >= 1", "came 0"]),
    ({"tasks": {"adding": {"sequences": 31}}}, "tasks.adding.sequences:", ["training.batch_size = 32", "came 31"]),
    ({"gradients": {"tbptt": {"k1": 5, "k2": 9}}}, "gradients.tbptt:", ["not both", "num_steps: 20", "k1: 5", "k2: 9"]),
    ({"gradients": {"g": {"paths": "all", "k1": 9, "k2": 5}}}, "gradients.g:", ["k1 <= k2", "k1: 9, k2: 5"]),
    ({"gradients": {"g": {"paths": "all", "k2": 5}}}, "gradients.g:", ["together", "k1: null, k2: 5"]),
    ({"gradients": {"g": {"paths": "some"}}}, "gradients.g.paths:", ["all or a list", "came 'some'"]),
    ({"gradients": {"g": {"paths": ["cel"]}}}, "gradients.g.paths:", ["unknown path 'cel'", "did you mean cell?"]),
    ({"gradients": {"g": {"paths": []}}}, "gradients.g.paths:", ["all or a list of at least 1", "came []"]),
    (
        {"gradients": {"full": {"num_steps": 0}}},
        "gradients.full.num_steps:",
        ["an integer >= 1 and <= 1000000000 or null", "came 0"],
    ),
    (
        {"gradients": {"full": {"window": 3}}},
        "gradients.full.window:",
        ["unknown key", "known: paths, num_steps, k1, k2"],
    ),
    ({"grid": []}, "grid:", ["at least 1", "came []"]),
    ({"grid": [{"devices": ["cpu"]}]}, "grid[0].tasks:", ["missing", "a list of at least 1"]),
    (grid(extra=1), "grid[0].extra:", ["unknown key", "devices, tasks, models, gradients"]),
    (grid(devices=["gpu"]), "grid[0].devices[0]:", ["one of cpu, cuda", "came 'gpu'"]),
    (grid(tasks=["ading"]), "grid[0].tasks:", ["unknown task 'ading'", "did you mean adding?"]),
    (grid(models=["lsmt"]), "grid[0].models:", ["unknown model 'lsmt'", "known: lstm, lstm_peephole, rnn", "lstm?"]),
    (grid(gradients=["ful"]), "grid[0].gradients:", ["unknown gradient 'ful'", "did you mean full?"]),
    (grid(models=[]), "grid[0].models:", ["at least 1"]),
    (grid(models=["lstm", "lstm"]), "grid[0].models:", ["different items", "came 'lstm' twice"]),
    (
        grid(models=["rnn"], gradients=["truncated_1997"]),
        "gradients.truncated_1997.paths:",
        ["model rnn (cell rnn) has no path cell", "its paths: recurrent"],
    ),
    (
        grid(gradients=["g"]) | {"gradients": {"g": {"paths": ["cell", "peepholes"]}}},
        "gradients.g.paths:",
        ["model lstm (cell lstm) has no path peepholes", "block_input, cell, gates"],
    ),
    ({"training": {"dtype": "float16"}}, "training.dtype:", ["one of float32, float64", "did you mean float"]),
    ({"training": {"kernel": "fast"}}, "training.kernel:", ["unknown kernel 'fast'", "known: cpu, reference"]),
    ({"training": {"optimiser": "adamw"}}, "training.optimiser:", ["adam, rmsprop, sgd", "did you mean adam?"]),
    ({"training": {"clip_norm": 0}}, "training.clip_norm:", ["a number > 0 or null", "came 0"]),
    ({"training": {"evaluate_every": 10**6}}, "training.evaluate_every:", ["at most the", "came 1000000"]),
    ({"training": {"batch_size": None}}, "training.batch_size:", ["an integer >= 1", "came null"]),
    ({"training": None}, "training:", ["a mapping with the keys", "came null"]),
    ({"training": [1]}, "training:", ["a mapping with the keys", "came [1]"]),
    ({"optimisers": {"adam": {"beta1": 1}}}, "optimisers.adam.beta1:", ["a number >= 0 and < 1", "came 1"]),
    ({"baselines": {"guesses": 0}}, "baselines.guesses:", ["an integer >= 1", "came 0"]),
    ({"baselines": {"bounds": 9}}, "baselines.bounds:", ["unknown key", "did you mean bound?"]),
    ({"baselines": {"scales": [0]}}, "baselines.scales[0]:", ["a number > 0", "came 0"]),
    ({"baselines": None}, "baselines:", ["a mapping with the keys guesses, bound", "came null"]),
    ({"tables": ["surfaces"]}, "tables:", ["surface", "did you mean surface?"]),
    ({"optimisers": {"lion": {}}}, "optimisers.lion:", ["unknown optimiser", "known: adam, adamw, rmsprop, sgd"]),
    ({"figures": ["acuracy_versus_lag"]}, "figures:", ["unknown figure", "did you mean accuracy_versus_lag?"]),
    ({"figures": "accuracy_versus_lag"}, "figures:", ["a list of", "came 'accuracy_versus_lag'"]),
    ({"seeds": yaml.safe_load("[2026-01-01]")}, "seeds[0]:", ["expected a number, text", "date 2026-01-01"]),
    ({"models": {"lstm": yaml.safe_load("&a {cell: *a}")}}, "models.lstm.cell", ["contains itself"]),
    ({"tables": ["attribution"]}, "measurement:", ["missing", "tables names attribution"]),
    ({"figures": ["path_shares"]}, "measurement:", ["missing", "figures names path_shares"]),
    ({"measurement": {"sequences": 4}}, "measurement.learning_rate:", ["missing", "a number > 0"]),
    (measurement(rate=0.1), "measurement.rate:", ["unknown key", "learning_rate, sequences, evaluations, flows"]),
    (measurement(learning_rate=0.1), "measurement.learning_rate:", ["one of learning_rates, 0.01", "came 0.1"]),
    (
        measurement() | {"grid": [grid()["grid"][0] | {"learning_rates": [0.3]}]},
        "measurement.learning_rate:",
        ["one of grid[0].learning_rates, 0.3", "came 0.01"],
    ),
    (measurement(sequences=0), "measurement.sequences:", ["an integer >= 1", "came 0"]),
    (measurement(sequences=17), "measurement.sequences:", ["at most training.validation_sequences = 16", "came 17"]),
    (measurement(evaluations=1), "measurement.evaluations:", ["an integer >= 2", "came 1"]),
    (measurement(flows=[]), "measurement.flows:", ["at least 1"]),
    (measurement(flows=["ful"]), "measurement.flows:", ["unknown flow 'ful'", "did you mean full?"]),
    (measurement(flows=["tbptt"]), "measurement.flows:", ["without a window", "'tbptt' with num_steps: 20"]),
]


@pytest.mark.parametrize(("changes", "key", "says"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_configuration_is_refused_in_one_line(changes, key, says):
    line = error_line(changes)
    assert line.startswith(f"config: {key}")
    for text in says:
        assert text in line
    assert line.isprintable()
    assert len(line) < 800


def error_line(changes: dict) -> str:
    try:
        config = merge(TINY, changes)
    except RecursionError:  # Snakemake's own merge would not survive it either; the check itself must
        config = merge(TINY, {})
        config["models"] = changes["models"]
    with pytest.raises(ConfigurationError) as caught:
        validate(config, registry=REGISTRY)
    return str(caught.value)


@pytest.mark.parametrize("key", sorted(TINY))
def test_every_key_is_required(key):
    config = dict(TINY)
    del config[key]
    with pytest.raises(ConfigurationError, match=rf"^config: {key}: the key is missing; expected "):
        validate(config, registry=REGISTRY)


BOMB = "".join(
    f"{group}: &{group} [{', '.join(['*' + of_less] * 10)}]\n" for of_less, group in itertools.pairwise("abcdef")
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seeds: [0\nthreads: 1\n", "line 2"),
        ("seeds: [0]\nseeds: [1]\n", "line 2, column 1: the key 'seeds' stands twice"),
        ("- a\n", "expected a mapping"),
        ("\tseeds: 1\n", "line 1"),
        ("", "expected a mapping"),
        ("experiment: 2024-13-45\n", "line 1, column 13: expected a value of type timestamp; came '2024-13-45'"),
        ("experiment: !!bool x\n", "line 1, column 13: expected a value of type bool; came 'x'"),
        ("experiment: !!int ''\n", "line 1, column 13: expected a value of type int; came ''"),
        (f"seeds: [{'9' * 5000}]\n", "line 1, column 9: expected a value of type int; came '999"),
        ("experiment: !!python/object/apply:os.system [touch canary]\n", "line 1, column 13"),
        (f"seeds: {'[' * 5000}\n", "nests too deep"),
        (
            "seeds: &a [*a]\n",
            "seeds: expected at most 1000000 values, aliases written out; came more, or an alias that",
        ),
        ("a: &a [0,0,0,0,0,0,0,0,0,0]\n" + BOMB, "f: expected at most 1000000 values"),
        ("a: &a {b: *a}\n", "a: expected at most 1000000 values"),
        ("__use_yte__: true\nexperiment: ?print()\n", "__use_yte__: expected data, no expressions to run"),
    ],
)
def test_unreadable_file_is_told_with_its_line(tmp_path, text, says):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    assert f"config: {path}" in str(caught.value)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("number", [2**63, -(2**63), 10**5000, 1.0e300], ids=["2^63", "-2^63", "digits", "float"])
def test_number_that_no_job_can_hold_is_told_by_its_size(number):
    with pytest.raises(ConfigurationError, match=r"^config: seeds\[0\]: .* came one of about 2\^\d+$"):
        validate(TINY | {"seeds": [number]}, registry=REGISTRY)


@pytest.mark.parametrize("name", ["folder", "/dev/zero", "missing.yaml", "a" * 300, "a\nb$(touch canary)"])
def test_what_is_no_file_is_refused_at_the_gate(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SystemExit) as ended:
        admit_file(Path(name), root=ROOT)
    assert str(ended.value.code).startswith("config: ")
    assert str(ended.value.code).isprintable()


@pytest.mark.parametrize("claims", ["a" * 300, " ", "/dev/zero", "config"])
def test_claims_that_are_no_file_are_refused_by_their_key(claims):
    with pytest.raises(SystemExit, match=r"^config: claims: expected a file, "):
        admit(TINY | {"claims": claims}, root=ROOT)


SHIPPED = sorted(path for path in (ROOT / "config").glob("*.yaml") if path.stem != "claims")  # which is no experiment


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configuration_is_accepted(path):
    assert Experiment(complete(read(path), root=ROOT), root=ROOT).conditions
