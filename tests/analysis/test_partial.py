"""Partial results: what there is so far, the gaps to be seen, and in the end the experiment's own tables."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from tests.analysis.experiments import runs_of, tiny, write_guesses, write_runs
from tests.analysis.tables import compute, compute_of, select_lags
from workflow.experiment.experiment import Experiment
from workflow.figures.style.coverage import DONE, MISSING, draw_coverage
from workflow.figures.style.look import Labels, Tables
from workflow.jobs.requested import Request
from workflow.operations import partial
from workflow.operations.partial import list_states, report_partial, write_partial
from workflow.operations.status import find_status
from workflow.tables.schema.computing import compute_table, load_table
from workflow.tables.schema.csv_files import read_csv, write_csv

TABLES = {"summary", "curves", "provenance", "statistics", "comparisons"}


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> dict[Path, object]:
    """Save no figure, which takes seconds; return which were to be saved."""
    kept: dict[Path, object] = {}
    monkeypatch.setattr(partial, "save", lambda figure, stem: kept.update({stem: figure}))
    return kept


def computed(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.csv")}


def coverage_of(experiment: Experiment, requested: Sequence[Request]) -> pd.DataFrame:
    return compute_table("coverage", list_states(map(find_status, requested)), experiment)


def test_finished_experiment_has_the_same_tables_byte_for_byte(undrawn) -> None:
    experiment = tiny(tables=["baselines"], figures=[])
    write_runs(runs_of(experiment))
    write_guesses(experiment)
    folder, provenance = write_partial(experiment)
    runs = [find_status(request).record for request in runs_of(experiment)]
    final = {"summary": compute_of("summary", runs), "curves": compute_of("curves", runs)}
    summary = final["summary"]
    final["statistics"] = compute("statistics", summary=summary, baselines=read_csv(folder / "baselines.csv"))
    final["comparisons"] = compute("comparisons", summary=summary, statistics=final["statistics"])
    for name, table in final.items():
        write_csv(table, Path(f"{name}.csv"))
        assert Path(f"{name}.csv").read_bytes() == (folder / f"{name}.csv").read_bytes(), name
    assert provenance["not_made"] == {}
    assert provenance["runs"] == {"wanted": 5, "done": 5, "stale": 0}


def test_tables_tell_of_what_is_done_and_provenance_counts_the_rest(undrawn) -> None:
    experiment = tiny(figures=[])
    requested = runs_of(experiment)
    write_runs(requested[:3])
    stale = json.loads(Path(requested[2].path).read_text()) | {"sources": "0" * 64}
    Path(requested[2].path).write_text(json.dumps(stale))
    folder, provenance = write_partial(experiment)
    assert computed(folder) == TABLES | {"coverage"}
    rows = read_csv(folder / "summary.csv")[["task", "lag", "model", "gradient"]].drop_duplicates()
    assert {tuple(row) for row in rows.itertuples(index=False)} == {item.condition[1:] for item in requested[:2]}
    assert len(read_csv(folder / "statistics.csv")) == 2
    written = json.loads((folder / "partial.json").read_text())
    assert written == provenance
    assert written["runs"] == {"wanted": 5, "done": 2, "stale": 1}
    assert list(written["left_out"]) == [requested[2].path]


def test_nothing_done_is_no_error_and_leaves_only_the_map(undrawn) -> None:
    folder, provenance = write_partial(tiny())
    assert computed(folder) == {"coverage"}
    assert [stem.name for stem in undrawn] == ["coverage"]
    assert set(provenance["not_made"]) == TABLES | {"figure accuracy_versus_lag", "figure solved_versus_lag"}
    lines = list(report_partial(folder, provenance))
    assert lines[0] == "runs: 0 of 5 done"
    assert "not there yet: comparisons: it is computed from summary, statistics, which is not there" in lines


def test_statistics_stand_without_baselines_until_there_is_one_of_every_condition(undrawn) -> None:
    experiment = tiny(tables=["baselines"], figures=[])
    write_runs(runs_of(experiment))
    write_guesses(experiment)
    for path in Path("results/tiny/baselines").rglob("lstm_peephole.json"):
        path.unlink()
    folder, _ = write_partial(experiment)
    assert "easy" not in read_csv(folder / "statistics.csv").columns
    assert set(read_csv(folder / "baselines.csv")["model"]) == {"rnn"}


def test_what_fails_is_left_out_and_what_was_made_before_goes(undrawn, monkeypatch) -> None:
    experiment = tiny()
    write_runs(runs_of(experiment)[:2])
    write_partial(experiment)

    def fail(*_: object) -> pd.DataFrame:
        raise ZeroDivisionError("too few")

    monkeypatch.setattr(load_table("comparisons"), "compute", fail)
    folder, provenance = write_partial(experiment)
    assert "comparisons" not in computed(folder)
    assert provenance["not_made"] == {"comparisons": "ZeroDivisionError: too few"}
    assert [path.name for path in Path("results/tiny").iterdir() if path.name.startswith(".")] == []


def test_figures_of_unfinished_results_are_marked_and_others_are_not(undrawn) -> None:
    experiment = tiny(figures=["accuracy_versus_lag"])
    requested = runs_of(experiment)
    for count, marks in ((3, ["partial: 3 of 5 runs"]), (5, [])):
        write_runs(requested[:count])
        undrawn.clear()
        write_partial(experiment)
        (figure,) = (figure for stem, figure in undrawn.items() if stem.name == "accuracy_versus_lag")
        assert [text.get_text() for text in figure.texts if "partial" in text.get_text()] == marks


def test_every_configured_figure_is_saved_in_the_partial_folder() -> None:
    experiment = tiny(figures=["accuracy_versus_lag"])
    write_runs(runs_of(experiment)[:1])
    folder, _ = write_partial(experiment)
    assert folder == Path("results/tiny/partial")
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {f"{name}.{kind}" for name in ("accuracy_versus_lag", "coverage") for kind in ("pdf", "svg", "png")}
    assert not Path("results/tiny/figures").exists()


def test_coverage_counts_seeds_per_condition() -> None:
    experiment = tiny(seeds_per_job=2)
    requested = runs_of(experiment)
    write_runs(requested[:1])
    coverage = coverage_of(experiment, requested)
    assert list(coverage["seeds_wanted"]) == [3] * 5
    assert list(coverage["seeds_done"]) == [2, 0, 0, 0, 0]


def test_map_shows_every_cell_of_the_grid_and_the_missing_ones_in_another_colour() -> None:
    experiment = tiny()
    requested = runs_of(experiment)
    write_runs(requested[:2])
    coverage = coverage_of(experiment, requested)
    labels = Labels(**{kind: tuple(names) for kind, names in experiment.labels.items()})
    figure = draw_coverage(Tables(coverage, coverage, select_lags(coverage), labels, {"coverage": coverage}))
    cells = []
    for axes in figure.axes:
        (mesh,) = axes.collections
        lags = len(axes.get_xticks())
        for text in axes.texts:
            x, y = map(int, text.get_position())
            cells.append((text.get_text(), to_hex(mesh.get_facecolors()[y * lags + x]).upper()))
    assert sorted(cells) == [("0/3", MISSING)] * 3 + [("3/3", DONE)] * 2
