"""Measure ours against what people would use instead: `make bench`, or `python -m tests.bench NAME ...` for some rows.

Writes what it measures to results/bench/bench.csv. At the end that becomes docs/results/bench.csv and the table in
docs/benchmarks.md; of some rows only, these join the others there, if the machine is the same. REALMINI=DIR: with real
photos.
"""

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from tests.bench.row import Measured
from tests.bench.table import HOUSE, KEPT, OUT, PAGE, machine, measured, read, rows, table, write
from workflow.core.errors import cli_entry_point
from workflow.reporting.publish import insert


@cli_entry_point
def main() -> None:
    """The command line."""
    every = rows()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"rows to measure, of {', '.join(every)}; all if none")
    names = parser.parse_args().names
    if unknown := set(names) - set(every):
        parser.error(f"no row called {', '.join(sorted(unknown))}")
    os.chdir(HOUSE)
    kept, found = read(KEPT) if names else {}, {}
    foreign = {one.machine for one in kept.values()} - {machine()}
    if foreign:
        print(f"{KEPT} and {PAGE} stay: their rows are of {', '.join(foreign)}", flush=True)
    for name in names or every:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:  # eval_map has children of its own
            found[name] = fresh.submit(measured, name).result()
        row = every[name]
        one = found[name]
        ratio = "" if one.ratio is None else f", {one.ratio:.2f} x"
        print(f"{name}: {one.ours:.4g} {row.unit}{ratio}{'' if row.met(one) else '  MISSED'}", flush=True)
        write(OUT, found)
    if not foreign:
        keep(kept | found)


def keep(found: dict[str, Measured]) -> None:
    """In the project; its page shows the numbers as they were kept."""
    write(KEPT, found)
    insert(PAGE, "bench", table(read(KEPT)))


if __name__ == "__main__":
    main()
