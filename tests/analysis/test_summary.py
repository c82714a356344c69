"""The tables hold what the records say, in an order and in bytes that a rerun reproduces."""

import json
import random
from pathlib import Path

import pandas as pd
import pytest

from records.condition import Condition
from tests.analysis.tables import EXPERIMENT, compute_of
from workflow.jobs.requested import Request
from workflow.tables.schema import csv_files
from workflow.tables.schema.csv_files import read_csv, write_csv

SUMMARY_COLUMNS = (
    "device task lag model gradient num_steps seed learning_rate parameters updates sequences updates_to_solve "
    "solved diverged best_update sequences_to_error sequences_to_streak validation_loss validation_accuracy "
    "validation_exact_match test_loss test_accuracy "
    "test_exact_match chance_loss chance_accuracy floor_loss floor_accuracy success_accuracy sequence_length "
    "scored_steps task_file task_options cell hidden_size model_options paths k1 budget protocol kernel dtype "
    "optimiser batch_size clip_norm evaluate_every validation_sequences test_sequences"
)


def test_summary_has_one_row_per_replica_with_its_settings(settings_of, run_of) -> None:
    settings = settings_of(task="adding", lag=50, model="lstm", gradient="tbptt", seeds=[3], rates=[0.01])
    run = run_of(settings)
    run["replicas"][0] |= {"updates": 1200, "updates_to_solve": 1150, "test_loss": None}
    (row,) = compute_of("summary", [run]).to_dict("records")
    assert " ".join(row) == SUMMARY_COLUMNS
    assert row["sequences"] == 1200 * 32
    assert (row["num_steps"], row["k1"], row["lag"], row["seed"]) == (20, 20, 50, 3)
    assert row["paths"] == "block_input+cell+gates"
    assert json.loads(row["model_options"]) == settings["model"]["options"]
    assert row["optimiser"] == '{"beta1":0.9,"beta2":0.999,"epsilon":1e-08,"name":"adam"}'
    assert (row["budget"], row["chance_accuracy"], row["updates_to_solve"]) == (64000, 0.078, 1150)
    assert pd.isna(row["test_loss"])


def test_order_of_the_records_does_not_matter(runs_of) -> None:
    runs = runs_of(lags=[10, 100], seeds=range(2), tasks=["copy", "adding"])
    shuffled = runs[:]
    random.Random(1).shuffle(shuffled)
    for run in shuffled:
        run["replicas"] = run["replicas"][::-1]
    pd.testing.assert_frame_equal(compute_of("summary", runs), compute_of("summary", shuffled))
    pd.testing.assert_frame_equal(compute_of("curves", runs), compute_of("curves", shuffled))
    assert list(compute_of("summary", runs)["lag"].unique()) == [10, 100]  # by number, not by spelling


def test_a_replica_in_two_records_is_refused(runs_of) -> None:
    runs = runs_of(lags=[10], seeds=[0], tasks=["copy"], series=[("rnn", "full")])
    with pytest.raises(ValueError, match=r"^summary.csv: two records .*device cpu, task copy, lag 10, model rnn"):
        compute_of("summary", runs + runs)


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_tables_written_in_parts_are_the_whole_tables(runs_of, tmp_path: Path, monkeypatch, at_once: int) -> None:
    runs = runs_of(lags=[10, 100], seeds=[2, 0], tasks=["copy", "adding"], series=[("rnn", "full"), ("lstm", "full")])
    random.Random(2).shuffle(runs)
    requests = {}
    for number, run in enumerate(runs):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(run))
        condition = Condition.from_settings(run["settings"])
        requests[str(path)] = Request("run", str(path), condition, run["settings"], run["sources"], (0, 2))
    monkeypatch.setattr(csv_files, "AT_ONCE", at_once)
    monkeypatch.setattr(csv_files, "list_requests_at", lambda *_: requests)
    for name in ("summary", "curves"):
        csv_files.write_table(name, EXPERIMENT, inputs=list(requests), path=tmp_path / f"{name}.csv")
        write_csv(compute_of(name, runs), tmp_path / "whole.csv")
        assert (tmp_path / f"{name}.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_csv_files_round_trip_and_are_equal_byte_for_byte(full_tables, full_comparisons, tmp_path: Path) -> None:
    every = set(full_tables.summary["lag"])
    tables = {"summary": full_tables.summary, "statistics": full_tables.statistics, "curves": full_tables.curves(every)}
    for name, table in (tables | {"comparisons": full_comparisons}).items():
        write_csv(table, tmp_path / f"{name}.csv")
        back = read_csv(tmp_path / f"{name}.csv")
        pd.testing.assert_frame_equal(back, table)
        write_csv(back, tmp_path / "again.csv")
        assert (tmp_path / "again.csv").read_bytes() == (tmp_path / f"{name}.csv").read_bytes()
        assert b"\r" not in (tmp_path / "again.csv").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.csv" for name in [*tables, "comparisons", "again"]}


def test_labels_that_look_like_something_else_stay_labels(runs_of, tmp_path: Path) -> None:
    runs = runs_of(lags=[10], seeds=[0], tasks=["copy"], series=[("rnn", "full")])
    runs[0]["settings"]["model"]["name"] = "NA"
    runs[0]["settings"]["gradient"]["name"] = "1e3"
    write_csv(compute_of("summary", runs), tmp_path / "summary.csv")
    back = read_csv(tmp_path / "summary.csv")
    assert set(back["model"]) == {"NA"}
    assert set(back["gradient"]) == {"1e3"}


def test_an_unwritten_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_csv(pd.DataFrame({"p": [0.1]}), path)

    class Broken:
        def to_csv(self, draft, **_) -> None:
            draft.write("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_csv(Broken(), path)  # type: ignore[arg-type]
    assert path.read_text() == "p\n0.1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_provenance_is_flat_and_keyed_by_run(tmp_path: Path) -> None:
    names = ["cpu/copy/lag=11/rnn/full/seeds=0-2", "cpu/adding/lag=2/rnn/full/seeds=0-2_5"]
    for name, wall in zip(names, (2.5, 1.5), strict=True):
        path = tmp_path / f"{name}.provenance.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"commit": "c0", "versions": {"torch": "2", "numpy": "1"}, "wall_seconds": wall}))
    table = compute_of("provenance", [csv_files.read_provenance(tmp_path / f"{name}.json") for name in names])
    assert list(table.columns) == ["run", "commit", "versions.numpy", "versions.torch", "wall_seconds"]
    assert list(table["run"]) == [f"{name}.json" for name in reversed(names)]
    assert list(table["wall_seconds"]) == [1.5, 2.5]
    with pytest.raises(ValueError, match=r"^provenance .*\.provenance\.json: does not exist"):
        csv_files.read_provenance(tmp_path / "cpu/copy/lag=11/lstm/full/seeds=0.json")
