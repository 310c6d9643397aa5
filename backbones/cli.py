"""`python -m backbones SUBCOMMAND`."""

from argparse import Namespace
from pathlib import Path

from workflow.planning.command_line import Subcommands, argument, command_line


def export(args: Namespace) -> None:
    """Write a published backbone as a folder that timm loads and that the Hugging Face hub takes."""
    from backbones.export import export

    export(args.folder, args.out, args.license, args.onnx)
    print(f"{args.out}: exported from {args.folder}")


EXPORT = (
    ("folder", {"type": Path, "metavar": "DIR", "help": "folder of a published backbone"}),
    argument("--out", "folder to write"),
    ("--license", {"default": "unknown", "help": "of the weights, an identifier of the hub (%(default)s)"}),
    ("--onnx", {"action": "store_true", "help": "write model.onnx too (needs onnx and onnxscript)"}),
)
SUBCOMMANDS: Subcommands = {export: EXPORT}
main = command_line("backbones", "What can be done with a published backbone.", SUBCOMMANDS)
