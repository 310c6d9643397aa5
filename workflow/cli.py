"""`python -m workflow SUBCOMMAND`."""

from argparse import ArgumentTypeError, Namespace

from workflow.planning.command_line import argument, command_line
from workflow.registry import PROJECT


def seconds(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise ArgumentTypeError(f"must be seconds above 0, not {text!r}")
    return number


def status(args: Namespace) -> None:
    """Show what is done, running, failed, stopped, waiting and outdated.

    It only reads, in the folder where Snakemake is called, also while it runs.
    """
    from workflow.reporting.status_screen import show, watch

    if args.watch:
        watch(args.config, args.watch)
    else:
        show(args.config)


CONFIG = argument(
    "--config", "config files, as of --configfile (default: the demo's)", required=False, nargs="+", type=str,
    metavar="FILE", default=[str(PROJECT / "config/demo.yaml")],
)  # fmt: skip
WATCH = argument(
    "--watch", "refresh, every 5 seconds or as many", required=False, nargs="?", type=seconds, const=5.0,
    metavar="SECONDS",
)  # fmt: skip
main = command_line("workflow", "The whole workflow.", SUBCOMMANDS := {status: (CONFIG, WATCH)})
