"""Measure ours against what people would use instead: `make bench`, or `python -m tests.bench NAME ...` for some rows.

Writes results/bench/bench.csv, keeps it in docs/results/bench.csv, and puts it as a table into README.md.
"""

import argparse
import multiprocessing
import os

from tests.bench.table import HOUSE, KEPT, OUT, README, measured, read, rows, table, write
from workflow.reporting.publish import inserted
from workflow.training.errors import door
from workflow.training.files import atomic


@door
def main() -> None:
    """The command line."""
    every = rows()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"rows to measure, of {', '.join(every)}; all if none")
    names = parser.parse_args().names
    if unknown := set(names) - set(every):
        parser.error(f"no row called {', '.join(sorted(unknown))}")
    os.chdir(HOUSE)
    found = read(KEPT)
    for name in names or every:
        with multiprocessing.get_context("spawn").Pool(1) as fresh:
            found[name] = fresh.apply(measured, (name,))
        row = every[name]
        print(f"{name}: {found[name]} {row.unit}{'' if row.met(found[name]) else '  MISSED'}", flush=True)
        write(OUT, found)
        write(KEPT, found)
    text = inserted(README.read_text(encoding="utf-8"), "bench", table(found))
    with atomic(README) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
