"""Packing: who shares a job, what is adopted and what is not, and that Snakemake retrains nothing for it."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.settings import TINY, TINY_RUNS
from workflow.experiment.experiment import Experiment
from workflow.experiment.reading import merge
from workflow.jobs import packing
from workflow.jobs.arguments import Job
from workflow.jobs.packing import adopt_record, is_stored, read_members, store_path, train_pack
from workflow.jobs.packs import pack_device, pack_need, plan_packs
from workflow.jobs.resources import training_need

ROOT = Path(__file__).resolve().parents[2]
TRAINER = """
import json, pathlib, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
settings = json.loads(words["--settings"])
print("trained", file=sys.stderr)
if settings["task"]["lag"] == 3:
    sys.exit("error: lag 3 is too much")
pathlib.Path(words["--provenance"]).write_text("{}")
pathlib.Path(words["--record"]).write_text(json.dumps({"settings": settings, "sources": words["--sources"]}))
"""


def plan(**changes):
    """Plan the packs of the tiny experiment and return their files."""
    experiment = Experiment(merge(TINY, {"conditions_per_job": 2, **changes}), root=ROOT)
    return [f"{name}.json" for name in plan_packs(experiment, folder="packs")]


def members_of(planned):
    return [read_members(Path(path)) for path in planned]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory of its own, with a trainer that trains nothing and fails at lag 3."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAGBENCH_PACKED", raising=False)
    (tmp_path / "job.py").write_text(TRAINER)
    return tmp_path


def train(members):
    return train_pack(members, train=Path("job.py"), threads=1, minutes=60)


def adopted(job: Job) -> bool:
    job.record.parent.mkdir(parents=True, exist_ok=True)
    return adopt_record(job)


def test_every_run_that_is_to_do_is_in_one_pack_and_no_pack_is_larger_than_asked(here):
    groups = members_of(plan())
    assert [len(group) for group in groups] == [2, 2, 1]
    assert {member.label for group in groups for member in group} == TINY_RUNS
    assert plan() == plan()


def test_packs_are_of_one_device(here):
    grid = [{"devices": ["cpu", "cuda"], "tasks": ["adding"], "models": ["rnn"], "gradients": ["full"]}]
    planned = plan(grid=grid, conditions_per_job=3)
    assert [pack_device(path) for path in planned] == ["cpu", "cuda"]


def test_a_pack_asks_for_the_time_of_all_and_the_memory_of_the_largest(here):
    (path,) = plan(conditions_per_job=5)
    needs = [training_need(member.settings) for member in read_members(Path(path))]
    assert pack_need(path).seconds == pytest.approx(sum(need.seconds for need in needs))
    assert pack_need(path).memory == max(need.memory for need in needs)


def test_a_member_that_fails_leaves_the_others_and_is_tried_alone_the_next_time(here):
    (members,) = members_of(plan(conditions_per_job=5))
    failed = train(members)
    assert len(failed) == 2
    assert all("lag=3" in line and line.endswith(": lag 3 is too much") for line in failed)
    stored = [member for member in members if is_stored(member)]
    assert len(stored) == 3
    times = [store_path(member.record).stat().st_mtime_ns for member in stored]
    train(members)
    assert [store_path(member.record).stat().st_mtime_ns for member in stored] == times
    (again,) = members_of(plan(conditions_per_job=5))
    assert {member.label for member in again} == {member.label for member in members if member not in stored}


def test_a_member_without_time_left_waits_for_the_next_attempt(here):
    (members,) = members_of(plan(conditions_per_job=5))
    failed = train_pack(members, train=Path("job.py"), threads=1, minutes=1)
    assert all("no time was left" in line for line in failed)
    assert len(failed) == 5


def test_a_record_is_adopted_with_its_provenance_and_log(here, capsys):
    (members,) = members_of(plan(conditions_per_job=5))
    train(members)
    member = next(member for member in members if is_stored(member))
    job = member
    assert adopted(job)
    assert json.loads(job.record.read_text()) == {"settings": member.settings, "sources": member.sources}
    assert job.provenance.exists()
    assert capsys.readouterr().err == "trained\n"
    assert not adopted(job)  # it is in the store no more


def test_a_record_without_its_provenance_is_trained_again(here):
    (members,) = members_of(plan(conditions_per_job=5))
    train(members)
    member = next(member for member in members if is_stored(member))
    store_path(member.record).with_suffix(".provenance.json").unlink()
    assert not is_stored(member)
    assert not adopted(member)


def test_a_job_that_is_killed_while_it_adopts_leaves_the_store_as_it_was(here, monkeypatch):
    (members,) = members_of(plan(conditions_per_job=5))
    train(members)
    member = next(member for member in members if is_stored(member))
    monkeypatch.setattr(packing, "write_text", _full)
    with pytest.raises(OSError, match="no space"):
        adopted(member)
    assert is_stored(member)


def _full(path, text):
    raise OSError("no space")


@pytest.mark.parametrize("field", ["settings", "sources"])
def test_a_record_of_other_settings_or_code_is_not_adopted(here, field):
    (members,) = members_of(plan(conditions_per_job=5))
    train(members)
    job = next(member for member in members if is_stored(member))
    other = (
        job._replace(sources="other") if field == "sources" else job._replace(settings=job.settings | {"seeds": [7]})
    )
    assert not adopted(other)


def test_where_nothing_should_train_a_job_without_a_record_tells_the_reason_of_its_pack(here, monkeypatch, capsys):
    monkeypatch.setenv("LAGBENCH_PACKED", "yes")
    (members,) = members_of(plan(conditions_per_job=5))
    job = next(member for member in members if member.settings["task"]["lag"] == 3)
    with pytest.raises(RuntimeError, match="run the target `packed` first"):
        adopted(job)
    train(members)
    with pytest.raises(RuntimeError, match="lag 3 is too much"):
        adopted(job)


def test_a_finished_run_is_not_packed_unless_its_settings_or_code_have_changed(here):
    (members,) = members_of(plan(conditions_per_job=5))
    train([member for member in members if member.settings["task"]["lag"] == 2])
    for member in members:
        if is_stored(member):
            adopted(member)
            details = {"settings": _digest(member.settings), "sources": member.sources}
            member.provenance.write_text(json.dumps(details))
    left = {member.label for group in members_of(plan()) for member in group}
    assert left == {run for run in TINY_RUNS if "/lag=2/" not in run}
    changed = plan(learning_rates=[0.02])
    assert {member.label for group in members_of(changed) for member in group} == TINY_RUNS


def _digest(settings):
    return hashlib.sha256(json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
