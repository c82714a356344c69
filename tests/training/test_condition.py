"""A condition from settings to run record: reproducible, complete, JSON, and refused when it makes no sense."""

import json

import pytest
import torch

from models.cell import load_cell
from tests.settings import CELL_OPTIONS, job_settings
from training.condition import train_condition
from training.progress import ProgressLog, format_progress
from training.replica import TrainingProgress


def ignore(progress: TrainingProgress) -> None:
    """Do nothing."""


def test_the_record_is_complete_and_reproducible_to_the_byte() -> None:
    given = job_settings(seeds=[0, 4], learning_rates=[0.01, 0.02], dtype="float32", sequences=200)
    first, again = (json.dumps(train_condition(given, ignore), allow_nan=False) for _ in range(2))
    assert first == again
    record = json.loads(first)
    assert record["settings"] == given
    assert [(row["seed"], row["learning_rate"]) for row in record["replicas"]] == [
        (0, 0.01),
        (0, 0.02),
        (4, 0.01),
        (4, 0.02),
    ]
    cell = load_cell("lstm", features=8, hidden_size=6, options=CELL_OPTIONS["lstm"])
    weights = 4 * (8 * 6 + 6 * 6 + 6) + 6 * 4 + 4
    for row in record["replicas"]:
        assert row["parameters"] == weights == sum(torch.Size(s).numel() for s in cell.shapes.values()) + 28
        assert row["updates"] == 25
        assert 0 <= row["test_accuracy"] <= 1
        assert row["test_exact_match"] == row["test_accuracy"]
    assert [point["update"] for point in record["curves"][:4]] == [0, 10, 20, 25]
    assert record["chance"]["accuracy"] == 0.25
    assert record["sequence_length"] == 22


def test_models_and_gradients_see_the_same_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons are paired: the stream of a seed does not depend on model, gradient, learning rate or other seeds."""
    import tasks.temporal_order

    sampled: list[bytes] = []
    sample = tasks.temporal_order.TemporalOrder.sample

    def spy(self, rng, size):  # type: ignore[no-untyped-def]
        batch = sample(self, rng, size)
        sampled.append(batch.inputs.tobytes())
        return batch

    monkeypatch.setattr(tasks.temporal_order.TemporalOrder, "sample", spy)
    seen = []
    for cell, rates, steps in (("lstm", [0.01], None), ("rnn", [0.1, 0.2], 3)):
        sampled.clear()
        train_condition(job_settings(seeds=[3], learning_rates=rates, cell=cell, num_steps=steps), ignore)
        seen.append(list(sampled))
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == len(seen[0]) == 1 + 20 + 1  # validation, training, test: all different


def test_copy_reports_exact_match_beside_the_accuracy() -> None:
    record = train_condition(
        job_settings(seeds=[0], learning_rates=[0.01], task="copy", lag=11, dtype="float32"), ignore
    )
    (row,) = record["replicas"]
    assert row["test_accuracy"] > 0.1
    assert row["test_exact_match"] < 0.01


def test_refusals() -> None:
    good = job_settings(seeds=[0], learning_rates=[0.01])
    with pytest.raises(ValueError, match="the cell has no path 'peepholes'; its paths: cell, gates, block_input"):
        train_condition({**good, "gradient": {**good["gradient"], "paths": ["cell", "peepholes"]}}, ignore)
    with pytest.raises(ValueError, match="unknown kernel 'fast'; known: cpu, reference"):
        train_condition({**good, "training": {**good["training"], "kernel": "fast"}}, ignore)
    with pytest.raises(ValueError, match=r"unknown cell 'lsmt'; known: .*lstm, .*rnn"):
        train_condition({**good, "model": {**good["model"], "cell": "lsmt"}}, ignore)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU: asking for it is no mistake here")
def test_cuda_without_a_gpu_is_refused() -> None:
    with pytest.raises(RuntimeError, match="device cuda was asked for, but torch finds no GPU"):
        train_condition(job_settings(seeds=[0], learning_rates=[0.01], device="cuda"), ignore)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU; torch.cuda.is_available() is False")
def test_cuda_agrees_with_the_cpu() -> None:
    records = [
        train_condition(job_settings(seeds=[0, 1], learning_rates=[0.01], device=device), ignore)
        for device in ("cpu", "cuda")
    ]
    for on_cpu, on_gpu in zip(*(record["replicas"] for record in records), strict=True):
        assert on_gpu["test_loss"] == pytest.approx(on_cpu["test_loss"], rel=1e-6)


def test_the_progress_line_says_what_there_is_to_know() -> None:
    progress = TrainingProgress(update=50, updates=200, alive=3, solved=2, diverged=1, sequences=6000)
    assert format_progress(progress, seconds=30) == (
        "update 50/200, 200 sequences/s, 2 solved, 1 diverged, 3 alive, at most 0:01:30 left"
    )
    assert format_progress(progress, seconds=-30).endswith("at most 0:00:00 left")  # the clock was set back
    written: list[str] = []
    log = ProgressLog(written.append, "adding/lag=10", interval=3600)
    log(progress)
    assert written == []
    log(progress._replace(alive=0))
    assert len(written) == 1
    assert written[0].startswith("adding/lag=10: update 50/200")
