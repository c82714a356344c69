"""Published runs are recomputed: a changed record is detected, and nothing published is touched."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.workflow.conftest import Tree, copy_tree
from tests.workflow.echo import SMALL, write_cell
from workflow.jobs.requested import KINDS
from workflow.verification.comparison import read_table
from workflow.verification.publication import locate, read_publication
from workflow.verification.recomputation import choose_sample, override_paths

ROOT = Path(__file__).resolve().parents[2]
RUN = "cpu/copy/lag=11/echo/full/seeds=0-2"


def test_a_sample_is_drawn_by_its_seed_and_is_never_larger_than_what_there_is():
    names = [f"run{number}" for number in range(50)]
    first = choose_sample(names, size=5, seed=7)
    assert first == choose_sample(names, size=5, seed=7)
    assert first != choose_sample(names, size=5, seed=8)
    assert len(set(first)) == 5
    assert choose_sample(names, size=99, seed=1) == names
    with pytest.raises(ValueError, match="at least 1 run; came 0"):
        choose_sample(names, size=0, seed=1)


def test_what_a_config_names_in_the_working_directory_is_found_from_another_folder(tmp_path, monkeypatch):
    for folder in ("here/mine/models", "other/yours/models"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    Path("claims.yaml").touch()
    config = {"plugins": ["mine", "yours", "nowhere"], "claims": "claims.yaml"}
    plugins = json.dumps([f"{tmp_path}/here/mine", f"{tmp_path}/other/yours", "nowhere"])
    words = ["--config", f"plugins={plugins}", f'claims="{tmp_path}/here/claims.yaml"']
    assert override_paths(config, folder=tmp_path / "other") == words
    assert override_paths({}, folder=tmp_path) == []


def test_every_published_row_belongs_to_one_job():
    for config in sorted((ROOT / "results/reference").glob("*/config.yaml")):
        published = read_publication(config, root=ROOT)
        assert published.folder == config.parent
        jobs = {kind: [job for job in published.jobs if job.request.kind == kind] for kind in KINDS}
        replicas = [len(run.request.seeds) * len(run.request.settings["learning_rates"]) for run in jobs["run"]]
        assert len(read_table(config.parent / "summary.csv")) == sum(replicas)
        assert len(jobs["run"][-1].select_rows("summary")) == replicas[-1]
        assert len(jobs["baseline"]) == len(read_table(config.parent / "baselines.csv"))
        assert len(jobs["baseline"][-1].select_rows("baselines")) == 1
        assert len(jobs["measurement"]) == (len(jobs["run"]) if config.parent.name == "gradients" else 0)


def test_tables_are_looked_for_beside_the_config_then_here_then_in_the_reference(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = ROOT / "config/default.yaml"
    reference = ROOT / "results/reference/default"
    assert locate(config, root=ROOT) == (reference, reference / "config.yaml")
    here = tmp_path / "results/default"
    here.mkdir(parents=True)
    for name in ("summary.csv", "provenance.csv"):
        (here / name).touch()
    assert locate(config, root=ROOT) == (Path("results/default"), config)
    assert locate(reference / "config.yaml", root=ROOT) == (reference, reference / "config.yaml")
    with pytest.raises(ValueError, match=r"expected summary.csv and provenance.csv in results/smoke or in "):
        locate(ROOT / "config/smoke.yaml", root=ROOT)


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("summary.csv", "", "expected rows; came none"),
        ("summary.csv", "device,task\ncpu,adding\n", "expected lag, model, "),
        ("provenance.csv", "run\n../../x\n", "names a run '../../x'; the config has no such condition"),
        ("provenance.csv", "run\ncpu/adding/lag=5/lstm/full/seeds=x.json\n", "has no such condition and seed block"),
        (
            "provenance.csv",
            "run\n",
            "has a row (device cpu, task adding, lag 5, model lstm, gradient full, seed 0) of no",
        ),
        (
            "baselines.csv",
            "device,task,lag,model\ncpu,adding,6,lstm\n",
            "(device cpu, task adding, lag 6, model lstm) of no",
        ),
        ("provenance.csv", "\0\xff", "expected a CSV file"),
    ],
)
def test_tables_that_do_not_belong_together_are_refused_in_one_line(tmp_path, table, text, message):
    for name in ("summary.csv", "provenance.csv", "config.yaml"):
        (tmp_path / name).write_bytes((ROOT / "results/reference/default" / name).read_bytes())
    (tmp_path / table).write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r".") as refused:
        read_publication(tmp_path / "config.yaml", root=ROOT)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def trained(pristine: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree with the results of four conditions."""
    tree = copy_tree(pristine.root, tmp_path_factory.mktemp("published") / "tree")
    (tree.root / "requirements.lock").write_text("torch==2.13.0\n")
    tree.configure(**SMALL)
    write_cell(tree)
    tree.snakemake("--cores", "2", "--quiet", "all")
    return tree


@pytest.fixture
def done(trained: Tree, tmp_path: Path) -> Tree:
    """A copy of it, to edit."""
    return copy_tree(trained.root, tmp_path / "done")


def python(tree: Tree, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=tree.root, capture_output=True, text=True, timeout=300, check=False)


def state(tree: Tree) -> dict[str, tuple[int, bytes]]:
    files = [path for path in tree.root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def change(path: Path, column: str, value: str) -> None:
    """Change a value in the first replica of a table."""
    lines = path.read_text().splitlines()
    values, place = lines[1].split(","), lines[0].split(",").index(column)  # before the first quoted column
    values[place] = value
    path.write_text("\n".join([lines[0], ",".join(values), *lines[2:]]) + "\n")


@pytest.mark.slow
def test_a_published_run_comes_out_bit_for_bit_and_nothing_is_touched(done):
    before = state(done)
    output = python(done, "workflow", "verify", "tiny.yaml", "--sample", "1", "--seed", "3", "--cores", "1")
    assert output.returncode == 0, output.stdout + output.stderr
    *tables, first, verdict, total = output.stdout.splitlines()
    assert tables == [
        "verify: comparisons.csv: equal, byte for byte",
        "verify: statistics.csv: equal, byte for byte",
        "verify: 2 of 2 derived tables agree",
    ]
    assert first.startswith("verify: results/tiny: 1 of 4 runs, chosen with SEED=3; the runs took ")
    assert verdict.endswith(": equal, bit for bit (3 replicas)")
    assert total == "verify: 1 of 1 runs agree: 1 bit for bit, 0 within tolerance"
    assert state(done) == before


@pytest.mark.slow
def test_a_record_changed_by_hand_is_found(done):
    change(done.root / "results/tiny/summary.csv", "test_loss", "0.25")
    output = python(done, "workflow", "verify", "tiny.yaml", "--cores", "2")
    assert output.returncode == 1
    assert (
        f"verify: {RUN}: DIFFERS in 1 of 3 replicas, CPU type, versions and code are the same: test_loss of seed 0"
        in (output.stdout)
    )
    assert "verify: 3 of 4 runs agree: 3 bit for bit, 0 within tolerance" in output.stdout


@pytest.mark.slow
def test_a_changed_table_or_baseline_is_found_and_a_measurement_comes_out(fresh):
    measuring = {"learning_rate": 0.01, "sequences": 4, "evaluations": 2, "flows": ["full", "truncated_1997"]}
    tables = ["baselines", "snapshots", "path_shares"]
    write_cell(fresh)
    grid = [SMALL["grid"][0] | {"models": ["echo"]}]
    changes = {"grid": grid, "tasks": {"copy": {"lags": [11]}}, "tables": tables, "measurement": measuring}
    fresh.configure(**SMALL | changes)
    fresh.snakemake("--cores", "2", "--quiet", "all")
    results = fresh.root / "results/tiny"
    (fresh.root / "requirements.lock").write_text("torch==2.13.0\n")
    before, how = python(fresh, "workflow", "archive", "tiny.yaml"), ("--cores", "2")
    assert before.returncode == 0, before.stderr
    change(results / "baselines.csv", "guess_loss", "0.25")
    change(results / "statistics.csv", "accuracy", "0.25")
    output = python(fresh, "workflow", "verify", "tiny.yaml", *how)
    assert output.returncode == 1
    for line in (
        "statistics.csv: DIFFERS in row (device cpu, task copy, lag 11, model echo, gradient full), column accuracy: "
        "published 0.25, recomputed ",
        "baseline cpu/copy/lag=11/echo: DIFFERS, CPU type, versions and code are the same: baselines.csv in row "
        "(device cpu, task copy, lag 11, model echo), column guess_loss: published 0.25, recomputed ",
        f"measurement {RUN}: equal, bit for bit (63 rows of path_shares.csv, 9 rows of snapshots.csv)",
        "1 of 1 runs agree: 1 bit for bit, 0 within tolerance\nverify: DIFFERS, see above: statistics.csv\n",
    ):
        assert f"verify: {line}" in output.stdout, output.stdout + output.stderr
    output = python(fresh, "workflow", "verify", str(results.with_suffix(".zip")), *how)
    assert output.returncode == 0, output.stdout + output.stderr
    for line in ("statistics.csv: equal, byte for byte", "baseline cpu/copy/lag=11/echo: equal, bit for bit"):
        assert f"verify: {line}" in output.stdout


@pytest.mark.slow
def test_a_run_that_fails_is_reported_with_its_reason(done):
    write_cell(done, before_step="raise ValueError('no luck')")
    output = python(done, "workflow", "verify", "tiny.yaml", "--seed", "2", "--sample", "1", "--cores", "1")
    assert output.returncode == 1
    assert ": NOT RECOMPUTED\n" in output.stdout
    assert "no luck" in output.stdout


@pytest.mark.slow
def test_a_verification_that_is_stopped_leaves_nothing_behind(done, tmp_path):
    write_cell(done, before_step=f"import os, pathlib, time; {SLEEP}")
    (done.root / "temporary").mkdir()
    running = subprocess.Popen(
        [sys.executable, "-m", "workflow", "verify", "tiny.yaml", "--seed", "2", "--sample", "1", "--cores", "1"],
        cwd=done.root,
        env=os.environ | {"TMPDIR": str(done.root / "temporary"), "LAGBENCH_TEST_PID": str(tmp_path / "pid")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pid, end = tmp_path / "pid", time.monotonic() + 120
    while not (pid.exists() and pid.read_text().endswith("\n")) and time.monotonic() < end:
        time.sleep(0.2)
    job = int(pid.read_text())
    running.terminate()
    _, output = running.communicate(timeout=60)
    assert (running.returncode, output) == (130, "verify: stopped\n")
    left = [path.name for path in (done.root / "temporary").iterdir()]
    assert not [name for name in left if not name.startswith("snakemake")], left  # Snakemake's own are its business
    assert not is_running(job)


SLEEP = 'pathlib.Path(os.environ["LAGBENCH_TEST_PID"]).write_text(f"{os.getpid()}\\n"); time.sleep(600)'


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_an_archive_is_made_twice_with_equal_bytes_and_verified_elsewhere(done, trained, tmp_path):
    archive = done.root / "results/tiny.zip"
    for _ in range(2):
        command = python(done, "workflow", "archive", "tiny.yaml", "--report")
        assert command.returncode == 0, command.stderr
        archive.rename(tmp_path / f"{_}.zip")
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "0.zip") as packed:
        names = set(packed.namelist())
        listed = json.loads(packed.read("tiny/ro-crate-metadata.json"))
    expected = {
        "config.yaml",
        "requirements.lock",
        "summary.csv",
        "figures/accuracy_versus_lag.pdf",
        f"runs/{RUN}.json",
    }
    assert {f"tiny/{name}" for name in (*expected, "report.html", "ro-crate-metadata.json")} <= names
    assert {entity.get("name") for entity in listed["@graph"]} >= {"lagbench", "torch", "numpy"}
    assert "Nothing to be done" in done.snakemake("--cores", "1")
    output = python(trained, "workflow", "verify", str(tmp_path / "0.zip"), "--sample", "1", "--cores", "1")
    assert output.returncode == 0, output.stdout + output.stderr
    assert f"archive: {tmp_path}/0.zip: every file is as it is listed" in output.stdout
    assert "verify: statistics.csv: equal, byte for byte" in output.stdout
    assert "1 of 1 runs agree: 1 bit for bit" in output.stdout
