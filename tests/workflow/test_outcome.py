"""Runs that other versions of a library made are told and can be listed; nothing trains them again unasked."""

import json
from pathlib import Path

import pytest

from records.canonical_json import compute_digest
from records.condition import Condition
from workflow.jobs.requested import Request, requested_records
from workflow.operations.outcome import (
    PACKAGES,
    load_versions,
    read_installed_versions,
    report_changes,
    report_versions,
)

HERE, OLD = (dict(zip(PACKAGES, (torch, "2.4.6", "0.68.1"), strict=True)) for torch in ("2.13.0", "2.12.0"))


def finished(*versions: dict[str, str]) -> dict[str, dict[str, str]]:
    return {f"run{number}": own for number, own in enumerate(versions)}


def test_nothing_is_said_where_all_versions_are_those_here():
    assert list(report_versions(finished(HERE, HERE), installed=HERE)) == []
    assert list(report_versions({}, installed=HERE)) == []


def test_other_and_mixed_versions_are_told_in_one_line_with_the_way_to_mend_it():
    runs = finished(OLD, HERE, HERE, OLD, HERE | {"numba": "none"})
    assert list(report_versions(runs, installed=HERE, config="config/default.yaml")) == [
        "stale: 2 runs were made under another torch: 2.12.0 (2 runs), 2.13.0 (3 runs); here is 2.13.0. "
        "make retrain CONFIG=config/default.yaml trains them again",
        "stale: 1 runs were made under another numba: 0.68.1 (4 runs), none (1 runs); here is 0.68.1. "
        "make retrain CONFIG=config/default.yaml trains them again",
    ]
    assert len(list(report_versions(finished(OLD, OLD), installed=HERE))) == 1


def request(path: Path, settings: dict) -> Request:
    return Request("run", str(path), Condition("cpu", "adding", 2, "rnn", "full"), settings, "x")


def test_changed_code_and_config_are_counted(tmp_path):
    settings = {"b": 1, "a": [1.5, None]}
    records = {"same": (settings, "x"), "code": (settings, "y"), "config": ({}, "x")}
    for name, (own, sources) in records.items():
        (tmp_path / f"{name}.json").touch()
        provenance = {"settings": compute_digest(own), "sources": sources}
        (tmp_path / f"{name}.provenance.json").write_text(json.dumps(provenance))
    requests = [request(tmp_path / f"{name}.json", settings) for name in (*records, "missing")]
    (line,) = report_changes(requests)
    assert line.startswith("stale: 2 of 3 records")
    assert list(report_changes(requests[:1])) == []


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"versions": 1}', "\xff"])
def test_a_record_without_whole_provenance_is_left_out(tmp_path, text):
    if text is not None:
        (tmp_path / "seeds=0.provenance.json").write_text(text)
    assert load_versions([request(tmp_path / "seeds=0.json", {})]) == {}


def test_runs_of_other_versions_are_kept_until_the_user_retrains_them(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    stale = [f"results/tiny/runs/cpu/{run}/seeds=0-2.json" for run in ("adding/lag=3/rnn/full", "copy/lag=11/rnn/full")]
    workspace.write_records(other_version=stale)
    assert workspace.plan().names() == set()
    versions = load_versions(requested_records(workspace.load_experiment()))
    assert sorted(path for path, own in versions.items() if own != read_installed_versions()) == stale
    names = {"adding/lag=3/rnn/full/seeds=0-2", "copy/lag=11/rnn/full/seeds=0-2"}
    assert workspace.plan(forcerun=frozenset(stale)).names() == names
