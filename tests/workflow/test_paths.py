"""Where checkpoints lie: beside the experiment's runs, and never outside the folder of a record that lies elsewhere."""

from pathlib import Path

import pytest

from records.paths import checkpoints_of


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
    assert checkpoints_of(Path(run), key="k") == Path(folder)
