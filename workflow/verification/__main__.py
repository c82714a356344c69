"""Verifies published results: `python -m workflow.verification config/default.yaml --sample 3`."""

import argparse
import sys
from pathlib import Path

from records.log import reason
from workflow.jobs.process import limit_threads

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Read the command line; exit 1 if something differs or cannot be compared."""
    limit_threads(1, kernel="reference")  # as the jobs that make tables have: BLAS rounds by the number of its threads
    from workflow.verification.report import SAMPLE, verify_config

    parser = argparse.ArgumentParser(prog="python -m workflow.verification", description=__doc__)
    parser.add_argument("config", type=Path, help="the config, or its copy beside published tables")
    parser.add_argument("--sample", type=int, default=SAMPLE, help=f"how many runs (default {SAMPLE})")
    parser.add_argument("--seed", type=int, help="of the sample; without one it is drawn, and told")
    parser.add_argument("--cores", default="all", help="cores (default all)")
    given = parser.parse_args()

    how = {"size": given.sample, "seed": given.seed, "cores": given.cores}
    try:
        return 0 if verify_config(given.config, **how, root=ROOT) else 1
    except KeyboardInterrupt:
        print("verify: stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"verify: {reason(error)}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
