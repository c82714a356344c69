"""Says where the results of a configuration are: `python -m workflow.operations.outcome config/default.yaml`."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from records.paths import Place
from workflow.experiment.experiment import Experiment, complete
from workflow.experiment.reading import read
from workflow.operations.staleness import installed, made, records, version_lines


def outcome(where: Place) -> Iterator[str]:
    """Yield one line each for the figures and the table."""
    yield f"figures: {Path(where.figures).absolute()}"
    yield f"table:   {Path(where.results, 'summary.csv').absolute()}"


def is_partial(targets: Iterable[str]) -> bool:
    """Say whether only partial results are asked for, which train nothing; the rule's name may have a prefix."""
    return {target.rpartition("_")[2] for target in targets} == {"partial"}


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    experiment = Experiment(complete(read(Path(sys.argv[1])), root=root), root=root)
    print("\n".join(outcome(experiment.place)))
    for line in version_lines(made(records(experiment)), here=installed(), config=sys.argv[1]):
        print(line)
