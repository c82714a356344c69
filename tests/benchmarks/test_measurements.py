"""The measurements run, and what they write is complete; no time is asserted."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import memory, ratios
from benchmarks.__main__ import arguments
from benchmarks.contestants import MODULES
from benchmarks.figures import speed as speed_figure
from benchmarks.points import POINTS, Contestant, Point, contestants_at
from benchmarks.processes import in_fresh_process
from benchmarks.stopwatch import PARTS
from benchmarks.teams import Team
from benchmarks.update import kernel_share, measure_update

ROOT = Path(__file__).resolve().parents[2]
TINY = Point(replicas=1, hidden_size=4, batch=2, sequence_length=5)


def test_every_part_of_an_update_is_seen_and_they_add_up():
    table = measure_update(1, updates=3).set_index("part")
    parts = table.loc[list(PARTS)]
    assert (parts["milliseconds"] > 0).all()
    assert parts["share"].sum() == pytest.approx(1)
    assert 0 < kernel_share(table.reset_index()) < 1


def test_figure_of_the_whole_grid_has_a_panel_for_each_of_its_points():
    rows = [
        point._asdict() | contestant._asdict() | {"calls": 1, "microseconds": float(point.hidden_size)}
        for point in POINTS
        for contestant in contestants_at(point, available=set(MODULES))
    ]
    figure = speed_figure.draw(ratios.summarise(pd.DataFrame(rows), peaks={1: 1.0, 2: 2.0}))
    titles = [axes.get_title() for axes in figure.axes]
    assert {f"R {R}, B {B}, T {T}" for R, _, B, T in POINTS} == set(titles)
    assert len(titles) == 2 * len(set(titles))


@pytest.mark.slow
def test_team_shares_replicas_out_and_tells_an_error_in_one_line():
    team = Team("torch_processes", members=2, threads=1)
    try:
        contestant = Contestant("torch_processes", "lstm", "full")
        assert team.prepare(contestant, TINY) > 0  # the second member has no replica
        assert team.measure(contestant, calls=2) > 0
        with pytest.raises(RuntimeError, match=r"^torch_processes failed at .*KeyError: 'gru'$"):
            team.prepare(Contestant("torch_processes", "gru", "full"), TINY)
    finally:
        team.close()


@pytest.mark.slow
def test_peak_of_a_call_is_what_the_kernel_documents():
    point = Point(replicas=4, hidden_size=32, batch=32, sequence_length=400)
    assert in_fresh_process(memory.peak_of_call, point, 1) == pytest.approx(memory.documented_bytes(point), rel=0.1)


@pytest.mark.slow
def test_benchmark_writes_tables_figures_and_the_record_of_the_machine(tmp_path):
    words = ["-m", "benchmarks", "--quick", "--rounds", "2", "--threads", "1", "--to", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "points that we lose:" in done.stdout
    figures = {f"{name}.{kind}" for name in ("speed", "memory") for kind in ("pdf", "svg", "png")}
    tables = {f"{name}.csv" for name in ("speed", "lost", "memory", "update", "online", "targets")}
    assert {path.name for path in tmp_path.iterdir()} == figures | tables | {"machine.json"}
    table = pd.read_csv(tmp_path / "speed.csv")
    assert (table["microseconds"] > 0).all()
    assert set(table["threads"]) == {1}
    assert set(pd.read_csv(tmp_path / "targets.csv")["verdict"]) <= {"met", "missed", "reported", "not measured"}
    record = json.loads((tmp_path / "machine.json").read_text())
    assert record["versions"]["torch"] == table["torch"].iloc[0]
    assert math.isfinite(record["benchmark"]["sgemm_peak_gflops"]["1"])


@pytest.mark.parametrize(
    ("words", "line"),
    [(["--threads", "0"], "expected --threads from 1 to"), (["--rounds", "1"], "expected --rounds of 2 or more")],
)
def test_impossible_arguments_are_refused_in_one_line(words, line, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
    with pytest.raises(SystemExit):
        arguments()
    assert line in capsys.readouterr().err.splitlines()[-1]
