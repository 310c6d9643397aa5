"""Compute the features of a frozen encoder:
`python -m captioning.features --run-spec JSON --backbone FILE --dataset-info CHECK.json --out DIR`."""

import argparse
from pathlib import Path

from workflow.core.errors import cli_entry_point


@cli_entry_point
def main() -> None:
    """The command line."""
    from workflow.planning.run_spec import RunSpec

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-spec", required=True, help="JSON of a captioning run, as planned")
    parser.add_argument("--backbone", required=True, type=Path, help="published backbone.safetensors")
    parser.add_argument("--dataset-info", required=True, type=Path, help="result of the data check")
    parser.add_argument("--out", required=True, type=Path, help="folder of the features")
    args = parser.parse_args()

    from captioning.feature_cache import make
    from workflow.training.resume.checkpointing import lock_artifact

    with lock_artifact(args.out) as to_make:
        if to_make:
            make(RunSpec.parse(args.run_spec), args.backbone, args.dataset_info, args.out)


if __name__ == "__main__":
    main()
