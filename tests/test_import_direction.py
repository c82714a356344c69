"""Who may import whom (design.md, section 3), read from the code's own imports."""

import ast
from pathlib import Path

import pytest

from workflow.experiment.sources import list_imports

ROOT = Path(__file__).resolve().parents[1]
OURS = {"records", "tasks", "models", "training", "workflow", "benchmarks", "tests"}
TABLES = ({"records", "workflow"}, {"numpy", "pandas", "seaborn", "scipy", "matplotlib"})
HEAVY = {"torch", "numpy", "numba", "triton", "pandas", "seaborn", "scipy", "matplotlib", "jax"}
MAY_IMPORT = {
    # the first that matches a file holds: ours, and of the heavy packages
    "tasks": ({"tasks"}, {"numpy", "torch"}),
    "models/kernels": ({"models"}, {"numpy", "torch", "numba", "triton"}),
    "models": ({"models"}, {"numpy", "torch"}),
    "records": ({"records"}, set()),
    "training": ({"training", "tasks", "models", "records"}, {"numpy", "torch"}),
    "workflow/scripts": ({"training", *TABLES[0]}, {"torch", *TABLES[1]}),
    **{
        f"workflow/{part}": TABLES
        for part in ("statistics", "tables", "figures", "operations", "verification", "report")
    },
    "workflow": ({"records", "workflow"}, set()),
    "benchmarks/contestants": ({"benchmarks", "models"}, {"numpy", "torch", "jax"}),
    "benchmarks/figures": ({"benchmarks", "workflow"}, {"numpy", "pandas", "matplotlib"}),  # the look of the figures
    "benchmarks/load": ({"benchmarks", "training", "records", "workflow"}, {"pandas"}),  # drives the pipeline
    "benchmarks": ({"benchmarks", "training", "models", "tasks"}, {"numpy", "torch", "pandas"}),
}
FILES = sorted(path.relative_to(ROOT) for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    tree = ast.parse((ROOT / path).read_bytes())
    return {module[0] for module in list_imports(tree, package=path.parent.parts) if module}


@pytest.mark.parametrize("path", sorted(set(FILES)), ids=str)
def test_file_imports_only_what_its_folder_may(path):
    ours, heavy = next(MAY_IMPORT[folder] for folder in MAY_IMPORT if path.is_relative_to(folder))
    actual = imports(path)
    assert not (actual & OURS) - ours
    assert not (actual & HEAVY) - heavy


def test_rules_import_nothing_that_trains():
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        for line in path.read_text().splitlines():
            if line.startswith(("import ", "from ")):
                package = line.split()[1].split(".")[0]
                assert package not in {"tasks", "models", "training", *HEAVY}, f"{path.name}: {line}"


def test_adapters_are_thin_and_alone_say_snakemake():
    for path in (ROOT / "workflow" / "scripts").glob("*.py"):
        assert sum(map(bool, path.read_text().splitlines())) <= 25, path.name
    for path in FILES:
        if path.parent != Path("workflow/scripts"):
            names = {node.id for node in ast.walk(ast.parse((ROOT / path).read_bytes())) if isinstance(node, ast.Name)}
            assert "snakemake" not in names, path
            assert "snakemake" not in imports(path), path


def test_every_folder_has_files_to_check():
    for folder in MAY_IMPORT:
        assert any(path.is_relative_to(folder) for path in FILES), folder
