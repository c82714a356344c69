"""The target `partial`: it trains nothing, never fails for what is missing, and ends with the experiment's tables."""

from pathlib import Path

import pytest

from tests.workflow.conftest import Tree

RESULTS = Path("results", "tiny")
TABLES = ("summary", "curves", "provenance", "statistics", "comparisons", "baselines")


def test_target_asks_for_no_run_whatever_is_missing_or_stale(tree: Tree) -> None:
    (tree.root / RESULTS / "runs/cpu/copy/lag=11/rnn/full/seeds=0-2.json").unlink()
    tree.configure(learning_rates=[0.5])
    assert tree.jobs("partial") == {"partial": {""}}


def test_nothing_done_is_no_failure_and_no_gpu_is_needed(fresh: Tree) -> None:
    grid = [{"devices": ["cuda"], "tasks": ["copy"], "models": ["rnn"], "gradients": ["full"]}]
    fresh.configure(grid=grid)
    output = fresh.snakemake("--cores", "1", "partial")
    assert "runs: 0 of 1 done\n" in output
    assert "not there yet: summary: none of its records is there and up to date\n" in output
    assert f"table:   {fresh.root}" not in output
    assert (fresh.root / RESULTS / "partial/figures/coverage.png").exists()
    assert not (fresh.root / RESULTS / "runs").exists()


@pytest.mark.slow
def test_partial_tables_become_those_of_the_experiment(fresh: Tree) -> None:
    grid = [{"devices": ["cpu"], "tasks": ["adding", "copy"], "models": ["rnn"], "gradients": ["full"]}]
    fresh.configure(grid=grid, tables=["baselines"], figures=[])
    fresh.snakemake("--cores", "2")
    results = fresh.root / RESULTS
    run = results / "runs/cpu/copy/lag=11/rnn/full/seeds=0-2.json"
    kept = run.rename(results / "kept.json")
    output = fresh.snakemake("--cores", "2", "partial")
    assert "runs: 2 of 3 done\n" in output
    assert not run.exists()
    assert "copy" not in (results / "partial/summary.csv").read_text()
    kept.rename(run)
    fresh.snakemake("--cores", "2", "partial")
    for table in TABLES:
        assert (results / f"partial/{table}.csv").read_bytes() == (results / f"{table}.csv").read_bytes(), table
    assert "Nothing to be done" in fresh.snakemake("--cores", "2")
