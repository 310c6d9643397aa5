"""`python -m backbones export DIR --out DIR`: what can be done with a published backbone."""

import argparse
from pathlib import Path

from workflow.core.errors import cli_entry_point


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m backbones", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write a folder that timm loads and that the Hugging Face hub takes")
    export.add_argument("folder", type=Path, metavar="DIR", help="folder of a published backbone")
    export.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write")
    export.add_argument("--license", default="unknown", help="of the weights, an identifier of the hub (%(default)s)")
    export.add_argument("--onnx", action="store_true", help="write model.onnx too (needs onnx and onnxscript)")
    args = parser.parse_args()
    from backbones.export import export as run  # slow to import: --help does without

    run(args.folder, args.out, args.license, args.onnx)
    print(f"{args.out}: exported from {args.folder}")
