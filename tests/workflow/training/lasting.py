"""The training of pair.py as a job that can be interrupted:
`launch tests.workflow.training.lasting --run-spec JSON --out`.

While the folder has a file `slow`, a sample takes a while; while it has `dawdle`, the second process gets through no
test image, and the first waits for it.
"""

import argparse
import time
from pathlib import Path

from mmengine.dist import get_rank

from tests.workflow.training import pair
from tests.workflow.training.test_engine import Points
from workflow.core.errors import cli_entry_point
from workflow.core.files import write_json
from workflow.planning.run_spec import RunSpec
from workflow.training.resume.checkpointing import run_context


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-spec", required=True)
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()
    sample, process = Points.__getitem__, pair.Seen.process

    def slowly(self, index):
        time.sleep(0.3 * (args.out / "slow").exists())
        return sample(self, index)

    def dawdling(self, *batch):
        (args.out / f"evaluates{get_rank()}").touch()
        while get_rank() and (args.out / "dawdle").exists():
            time.sleep(0.05)
        process(self, *batch)

    Points.__getitem__, pair.Seen.process = slowly, dawdling
    with run_context(args.out / "state", args.out, {}):
        write_json(args.out / "found.json", pair.train(RunSpec.parse(args.run_spec), args.out / "state"))


if __name__ == "__main__":
    main()
