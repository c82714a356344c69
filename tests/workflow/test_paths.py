"""Conditions and records by their paths, and where the checkpoints of a record lie."""

from pathlib import Path

import pytest
from hypothesis import given, strategies

from records.blocks import block_name
from records.condition import Condition
from records.paths import BASELINE, BLOCK, RecordPath, checkpoint_folder


@pytest.mark.parametrize(
    ("run", "folder"),
    [
        ("results/x/runs/cpu/adding/lag=10/lstm/full/seeds=0-4.json", "results/x/checkpoints/k"),
        ("/data/results/x/runs/cpu/adding/lag=10/lstm/full/seeds=0.json", "/data/results/x/checkpoints/k"),
        ("results/x/packed/cpu/adding/lag=10/lstm/full/seeds=0-4.json", "results/x/checkpoints/k"),
        ("results/x/measurements/cpu/adding/lag=10/lstm/full/seeds=0-4.json", "results/x/checkpoints/k"),
        ("below/results/x/measurements/cpu/adding/lag=10/rnn/full/seeds=0.json", "below/results/x/checkpoints/k"),
        ("run.json", "checkpoints/k"),
        ("/data/cpu/adding/lag/lstm/full/first.json", "/data/cpu/adding/lag/lstm/full/checkpoints/k"),
    ],
)
def test_checkpoints_lie_beside_the_runs_or_the_record(run: str, folder: str) -> None:
    assert checkpoint_folder(Path(run), key="k") == Path(folder)


LABELS = strategies.from_regex(r"[a-z]\w{0,8}(\.h\d+)?", fullmatch=True)
CONDITIONS = strategies.builds(
    Condition, LABELS, LABELS, strategies.integers(min_value=0), LABELS, strategies.just("") | LABELS
)
SEEDS = strategies.sets(strategies.integers(min_value=0, max_value=999), min_size=1, max_size=9).map(sorted).map(tuple)


@given(CONDITIONS)
def test_every_conversion_of_a_condition_has_its_inverse(condition: Condition) -> None:
    assert Condition.from_path(condition.to_path()) == condition
    assert Condition.from_wildcards(condition.to_wildcards()) == condition
    assert Condition.from_settings(condition.to_settings()) == condition


@given(CONDITIONS, SEEDS, strategies.sampled_from(["", "results/x/runs", "below/results/x/packed", "/data"]))
def test_the_place_of_a_record_and_its_path_are_one(condition: Condition, seeds: tuple[int, ...], folder: str) -> None:
    place = RecordPath(folder, condition, seeds if condition.gradient else ())
    assert RecordPath.from_path(place.to_path()) == place
    pattern = BLOCK if condition.gradient else BASELINE
    assert pattern.format(**condition.to_wildcards(), seeds=block_name(place.seeds)) == place.name


@pytest.mark.parametrize(
    "path",
    ["", "cpu/adding/lag=05/lstm/full", "cpu/adding/5/lstm/full", "cpu/adding/lag=5", "cpu/adding/lag=5/lstm/full/x"],
)
def test_a_path_that_names_no_condition_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="expected a path such as cpu/adding/lag=5/lstm/full"):
        Condition.from_path(path)


@pytest.mark.parametrize("path", ["a.csv", "cpu/adding/lag=5/lstm/full/seeds=2-1.json", "seeds=0.json"])
def test_a_path_that_is_no_record_s_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        RecordPath.from_path(path)
