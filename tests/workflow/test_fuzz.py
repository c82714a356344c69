"""Mutated configurations through the gate: an experiment with its files where they belong, or one line with a key."""

import copy
import functools
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from records.log import printable
from records.paths import log_path
from tests.workflow.mutations import NASTY_TEXT, SHELL, SOUND, Mutant, mutants
from tests.workflow.workspace import Workspace
from workflow.experiment import experiment, findings
from workflow.experiment.configuration import Configuration
from workflow.experiment.declarations import load_registry
from workflow.experiment.experiment import Experiment
from workflow.experiment.gate import admit, admit_file
from workflow.experiment.reading import read
from workflow.jobs.requested import list_requests

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"config: (?P<key>\S.*?)(, line \d+, column \d+)?: .*", re.DOTALL)
SAFE = re.compile(r"results/[A-Za-z0-9_][\w.-]{0,63}(/[A-Za-z0-9_][\w.,=-]*)+", re.ASCII)
DEFAULT = load_configfile(ROOT / "config" / "default.yaml")
quick = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
thorough = settings(quick, max_examples=500)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module, function in ((experiment, load_registry), (experiment, read), (findings, read)):  # for speed alone
        monkeypatch.setattr(module, function.__name__, functools.cache(function))  # of files that no mutant changes
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def by_make(path: Path) -> Experiment | str:
    """Return what `make` lets pass, or the line that it ends with."""
    try:
        return admit_file(path, root=ROOT).experiment
    except SystemExit as ended:
        return str(ended.code)


def by_snakemake(path: Path) -> Experiment | str | None:
    """Return the same of the Snakefile, or None where Snakemake itself cannot read the file."""
    config = copy.deepcopy(DEFAULT)
    try:
        update_config(config, load_configfile(path))
    except Exception:
        return None
    try:
        return admit(config, root=ROOT, files=[path]).experiment
    except SystemExit as ended:
        return str(ended.code)


def check(mutant: Mutant, folder: Path) -> None:
    path = Path("mutant.yaml")
    path.write_bytes(mutant.text.encode(errors="surrogatepass"))
    verdict, again = by_make(path), by_snakemake(path)
    if isinstance(verdict, str):
        check_line(verdict, mutant)
        assert again is None or again == verdict
    else:
        assert isinstance(again, Experiment)
        check_files(verdict)
    assert os.listdir(folder) == ["here"]
    assert os.listdir() == ["mutant.yaml"]


def check_line(line: str, mutant: Mutant) -> None:
    assert line.isprintable()
    assert len(line) < 2000
    named = LINE.fullmatch(line)
    assert named, line
    if "mutant.yaml" not in named["key"]:
        head = re.split(r"[.\[]", named["key"].removeprefix("'"))[0]  # a key that ends in a blank is quoted
        registered = head in PROPERTIES or named["key"] in keys_of(mutant)
        assert registered or "unknown key" in line or "keys that are text" in line, line
        assert mutant.key is None or mutant.key in line


def keys_of(mutant: Mutant) -> set[str]:
    """Return the outermost keys of a mutant, as a line can show them."""
    try:
        actual = yaml.safe_load(mutant.text)
    except (yaml.YAMLError, ValueError):
        return set()
    names = map(str, actual) if isinstance(actual, dict) else ()
    return {repr(name) if name != name.strip() else printable(name) for name in names}


def check_files(verdict: Experiment) -> None:
    """Check of what passed that all its files lie in its folder, and that its jobs' settings can be told to a shell."""
    place = verdict.place
    kinds = ("run", "baseline", *(("measurement",) if "measurement" in verdict.config else ()))
    files = [request.path for kind in kinds for request in list_requests(verdict, kind)]
    for file in [*files, *map(log_path, files), f"{place.figures}/x.pdf", f"{place.results}/x.csv"]:
        assert SAFE.fullmatch(file), file
        assert file.startswith(f"results/{verdict.config['experiment']}/")
        assert ".." not in Path(file).parts
    for condition in verdict.conditions[:3]:
        assert re.fullmatch(r"[0-9a-f]{64}", verdict.sources(condition))
        assert verdict.settings(condition, [0])["task"]["lag"] == condition.lag


PROPERTIES = Configuration.model_json_schema()["properties"]


@quick
@given(mutants())
def test_some_mutants(folder: Path, mutant: Mutant) -> None:
    check(mutant, folder)


@pytest.mark.slow
@thorough
@given(mutants())
def test_five_hundred_mutants(folder: Path, mutant: Mutant) -> None:
    check(mutant, folder)


@settings(quick, max_examples=5)
@given(st.one_of(st.sampled_from(NASTY_TEXT), st.text()))
def test_no_name_leads_outside(folder: Path, name: str) -> None:
    task = SOUND["default"]["tasks"]["copy"]
    for config in ({"experiment": name}, {"claims": name}, {"figures": [name]}, {"tasks": {name: task}}):
        check(Mutant(yaml.dump(config), None), folder)


def test_what_a_configuration_may_say_freely_runs_nothing(tmp_path: Path) -> None:
    """Neither the names of its files nor its notes: every command is one that a shell splits as it was meant."""
    workspace = Workspace(tmp_path / "a 'b' $(touch canary)")
    workspace.root.mkdir()
    claims = f"{SHELL[3]}.yaml"
    shutil.copy(ROOT / "config/claims.yaml", workspace.root / claims)
    rows = [row | {"notes": "".join(NASTY_TEXT)} for row in SOUND["hochreiter1997"]["published"]]
    config = SOUND["hochreiter1997"] | {"published": rows, "claims": claims, "seeds": [0]}
    (workspace.root / "published.yaml").write_text(yaml.dump(config))
    jobs = workspace.plan(config="published.yaml").jobs
    assert "table" in {job.rule for job in jobs}
    for job in jobs:
        words = shlex.split(job.shell)
        assert not job.shell or words[1].endswith(".py"), job.shell
    assert not [*tmp_path.rglob("canary*")]
