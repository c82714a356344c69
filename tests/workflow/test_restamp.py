"""Restamping: a renaming keeps finished and published runs; a changed number is refused, and no file changes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from records.writing import write_json
from tests.workflow.conftest import Tree, copy_tree
from tests.workflow.echo import SMALL, write_cell
from workflow.archive import manifest
from workflow.verification import restamp
from workflow.verification.comparison import Verdict, read_table
from workflow.verification.publication import read_publication

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results/reference/hochreiter1997"
SAMPLE = ("--sample", "1", "--seed", "1", "--cores", "2")


def run_command(tree: Tree, command: str, *words: str) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "workflow", command, "tiny.yaml", *words)
    return subprocess.run(words, cwd=tree.root, capture_output=True, text=True, timeout=300, check=False)


def read_results(tree: Tree) -> dict[str, bytes]:
    files = [path for path in (tree.root / "results").rglob("[!.]*") if path.is_file() and "logs" not in path.parts]
    return {str(path.relative_to(tree.root)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_a_renaming_keeps_finished_runs_and_another_number_is_refused(pristine: Tree, tmp_path: Path):
    tree = copy_tree(pristine.root, tmp_path / "tree")
    (tree.root / "requirements.lock").touch()
    tree.configure(**SMALL)
    write_cell(tree)
    tree.snakemake("--cores", "2", "--quiet", "all")
    before = read_results(tree)

    write_cell(tree, bound=0.25)
    refused = run_command(tree, "restamp", *SAMPLE)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert read_results(tree) == before

    write_cell(tree, function="_largest_weight")
    assert len(tree.to_train()) == 2
    assert run_command(tree, "archive").returncode == 1  # stale results are not packed
    done = run_command(tree, "restamp", *SAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr
    after = read_results(tree)
    changed = {path for path in after if after[path] != before.get(path)}
    runs = [f"results/tiny/runs/cpu/copy/lag={lag}/echo/full/seeds=0-2" for lag in (11, 12)]
    records = {f"{run}.{kind}" for run in runs for kind in ("json", "provenance.json")}
    assert changed == {*records, "results/tiny/provenance.csv", "results/tiny/restamps.json"}
    (entry,) = json.loads(after["results/tiny/restamps.json"])
    assert (entry["records"], len(entry["sample"]), entry["seed"]) == (2, 1, 1)
    assert tree.to_train() == set()
    assert run_command(tree, "archive").returncode == 0
    tree.snakemake("--cores", "1", "--quiet", "all")
    tables = {path: content for path, content in before.items() if path.endswith(".csv") and "provenance" not in path}
    assert {path: read_results(tree)[path] for path in tables} == tables


@pytest.fixture
def stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Published tables whose provenance has the digests of other code, and one record; tables count as equal."""
    folder = tmp_path / "hochreiter1997"
    folder.mkdir()
    for name in ("summary.csv", "baselines.csv", "config.yaml"):
        shutil.copyfile(REFERENCE / name, folder / name)
    table = read_table(REFERENCE / "provenance.csv")
    table["sources"] = ["indices" if "long_lag" in run else "vectors" for run in table["run"]]
    table.to_csv(folder / "provenance.csv", index=False)
    rows = table.to_dict("records")
    record = folder / "runs" / rows[0]["run"]
    write_json(record, {"settings": {}, "sources": "vectors", "loss": 0.1})
    write_json(record.with_suffix(".provenance.json"), rows[0])
    manifest.write(folder)
    monkeypatch.setattr(restamp, "verify_tables", lambda published: {})
    return folder


def recompute_as(monkeypatch: pytest.MonkeyPatch, losses: Mapping[Path, float], *, exact: bool, stamps: Path) -> None:
    """Let records be "recomputed" with the loss that belongs to a source tree, with the stamps of a provenance.csv."""
    rows = read_table(stamps).to_dict("records")
    provenance = {f"results/hochreiter1997/runs/{row['run']}": row for row in rows}

    def write(config: Path, paths: Iterable[str], *, folder: Path, root: Path, cores: str) -> list[str]:
        for path in paths:
            write_json(folder / path, {"settings": {}, "sources": str(root), "loss": losses[root]})
            write_json((folder / path).with_suffix(".provenance.json"), {"processor_type": ""} | provenance[path])
        return []

    monkeypatch.setattr(restamp, "recompute", write)
    monkeypatch.setattr(restamp, "compare_job", lambda *_, folder: Verdict(True, exact, "compared"))


def run(folder: Path, *, old: Path | None = None, size: int = 3) -> None:
    restamp.restamp_config(folder / "config.yaml", size=size, seed=0, cores="1", root=ROOT, old=old)


def read_rows(folder: Path) -> list[dict[str, str]]:
    return read_table(folder / "provenance.csv").to_dict("records")


def read_bytes(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_digests_are_replaced_everywhere_and_nothing_else_is(stale, monkeypatch):
    before = read_rows(stale)
    recompute_as(monkeypatch, {ROOT: 0.1}, exact=True, stamps=stale / "provenance.csv")
    run(stale)
    after = read_rows(stale)
    assert [row | {"sources": ""} for row in after] == [row | {"sources": ""} for row in before]
    assert not restamp.find_stale(read_publication(stale / "config.yaml", root=ROOT))
    record = stale / "runs" / after[0]["run"]
    digests = [json.loads(path.read_text())["sources"] for path in (record, record.with_suffix(".provenance.json"))]
    assert digests == [after[0]["sources"]] * 2
    assert json.loads(record.read_text())["loss"] == 0.1
    assert manifest.check(stale) == []
    (entry,) = json.loads((stale / restamp.LOG).read_text())
    assert (entry["records"], len(entry["sample"])) == (len(before), 3)
    assert {change["old_sources"] for change in entry["changes"]} == {"indices", "vectors"}
    assert sum(change["records"] for change in entry["changes"]) == len(before)
    run(stale)
    assert len(json.loads((stale / restamp.LOG).read_text())) == 1


def test_every_replaced_digest_is_recomputed_once(stale):
    records = restamp.find_stale(read_publication(stale / "config.yaml", root=ROOT))
    for seed in range(20):
        sample = restamp.choose_records(records, size=1, seed=seed)
        assert {record.change for record in sample} == {record.change for record in records}
        assert sample == restamp.choose_records(records[::-1], size=1, seed=seed)
    assert len({record.path for record in restamp.choose_records(records, size=9, seed=0)}) == 9
    assert len(restamp.choose_records(records, size=999, seed=0)) == len(records)


@pytest.mark.parametrize(
    ("exact", "losses", "broken"),
    [
        (False, {}, False),  # not the published bits
        (False, {"old": 0.2}, False),  # nor those of the old code
        (True, {}, True),  # one of the files cannot be written
        (False, {"foreign": 0.1}, False),  # not the code of the records
    ],
)
def test_a_refused_restamp_changes_no_file(stale, exact, losses, broken, monkeypatch, tmp_path):
    trees = {tmp_path / name: loss for name, loss in losses.items()}
    stamps = (REFERENCE if "foreign" in losses else stale) / "provenance.csv"
    recompute_as(monkeypatch, {ROOT: 0.1, **trees}, exact=exact, stamps=stamps)
    if broken:
        next(stale.glob("runs/**/*.provenance.json")).write_text("no JSON")
    before = read_bytes(stale)
    with pytest.raises(ValueError, match=r".") as refused:
        run(stale, old=next(iter(trees), None))
    assert "\n" not in str(refused.value)
    assert read_bytes(stale) == before


def test_elsewhere_the_old_code_shows_that_the_new_one_has_its_bits(stale, monkeypatch, tmp_path):
    recompute_as(monkeypatch, {ROOT: 0.1, tmp_path / "old": 0.1}, exact=False, stamps=stale / "provenance.csv")
    run(stale, old=tmp_path / "old")
    (entry,) = json.loads((stale / restamp.LOG).read_text())
    assert entry["old_commit"] == read_rows(stale)[0]["commit"]
