"""What made a run is told of a table as well, and the type of CPU by more than its name."""

from datetime import UTC, datetime
from pathlib import Path

import torch

from training import provenance

ROOT = Path(__file__).resolve().parents[2]
CPUINFO = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC

processor\t: 1
vendor_id\t: Other
"""


def test_the_type_of_cpu_is_vendor_family_model_and_vector_instructions(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda path: CPUINFO)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert provenance.processor_type() == "AuthenticAMD 26 2 AVX512"
    monkeypatch.setattr(Path, "read_text", lambda path: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert provenance.processor_type() == "arm64 AVX512"


def test_a_table_has_the_provenance_of_a_run():
    began = datetime.now(UTC)
    made = provenance.collect_table(root=ROOT, started=began, settings={"seeds": [0]}, sources="digest")
    again = provenance.collect_table(root=ROOT, started=began, settings={"seeds": [1]}, sources="digest")
    assert (made["kernel"], made["sources"], made["threads"], made["gpu"]) == ("reference", "digest", 1, None)
    assert made["settings"] != again["settings"]
    assert made["versions"]["torch"] == torch.__version__
