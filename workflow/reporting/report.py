"""Print and write the transfer table from whatever records exist: `python -m workflow.reporting.report`."""

import argparse
import io
import sys
from pathlib import Path

from workflow.config.loading import load
from workflow.core.errors import cli_entry_point
from workflow.core.files import atomic
from workflow.planning.plan import plan
from workflow.reporting.page.downloads import downloads
from workflow.reporting.page.external_figures import figures
from workflow.reporting.page.html_page import html
from workflow.reporting.summary import summarize
from workflow.reporting.tables.paper_deviations import departures
from workflow.reporting.tables.text_tables import markdown, terminal


def report(config: str, out: Path | None) -> str:
    """Write tables, page, figures and records.zip for a config (a file, or its content as JSON); return the terminal's
    text.

    The page shows those figures of other rules that are made of the records of now, and says why others are not.

    UserError if the config is at fault, a record is not one, or two records cannot share a column.
    """
    todo = plan(load(config))
    summary = summarize(todo)
    out = out or Path("results") / summary.experiment / "report"
    files = downloads(summary)
    pages = html(summary, out, *figures(todo, summary), departures(todo.config), files)
    texts = {"transfer.md": markdown(summary), **pages}
    for name, content in (files | {name: text.encode() for name, text in texts.items()}).items():
        with atomic(out / name) as temporary:
            temporary.write_bytes(content)
    return terminal(summary, out / "transfer.html")


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/demo.yaml", help="config file, or its content as JSON")
    parser.add_argument("--out", type=Path, help="folder of the tables (default: results/<experiment>/report)")
    args = parser.parse_args()
    text = report(args.config, args.out)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no ± still gets its table
    print(text)


if __name__ == "__main__":
    main()
