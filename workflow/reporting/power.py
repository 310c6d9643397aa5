"""How many seeds does a gap take? `python -m workflow.reporting.power --config FILE --gap 0.5` plans by the spread of a
config's records; --seed-sd and --image-sd give it without any."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from workflow.config.loading import load
from workflow.contracts import Metric
from workflow.core.errors import UserError, cli_entry_point
from workflow.planning.plan import plan
from workflow.registry import PRETRAIN
from workflow.reporting.metrics import named, number
from workflow.reporting.statistics.power import MOST, Spread, needed_seeds, pooled, smallest_gap, spread_of
from workflow.reporting.summary import Summary, summarize

SEEDS, TRANSFERS = range(2, 11), (1, 2, 3)
ALONE = "One row is compared; further rows of a column (Holm's correction) need a larger gap or more seeds."
LEFT_OUT = "With one transfer seed, the interval leaves out its effect: gaps are found too easily, and where none is."
UNKNOWN = "One transfer seed: its effect is unknown and in no interval; --transfer-seed-sd gives it."

Asked = tuple[str, Metric | None, Spread, bool]  # title, metric, spread of its changes, whether it has transfer seeds


def from_records(summary: Summary) -> Iterator[Asked]:
    """The headline metric of each task, with the spread pooled over rows."""
    for name, task in summary.tasks.items():
        metric, found = task.headline, {}
        for row in summary.backbones:
            cell = summary.cell(row, (name, metric))
            if cell.change is not None:
                base = summary.cell(cell.baseline, (name, metric))
                found[row] = spread_of(cell.runs, base.runs, metric.name, task)
        known = {row: one for row, one in found.items() if one}
        if known:
            trained = name != PRETRAIN and task.kind == "train"
            yield f"{name} {named(metric)} (from {', '.join(known)})", metric, pooled(list(known.values())), trained


def lines(title: str, metric: Metric | None, spread: Spread, trained: bool, gap: float | None) -> Iterator[str]:
    """The table of a metric: a line for each number of transfer seeds, a column for each of pretraining seeds."""

    def shown(value: float) -> str:
        return "–" if value == float("inf") else number(metric, value) if metric else f"{value:.2f}"

    transfer = "unknown" if spread.transfer is None else shown(spread.transfer)
    parts = f"pretraining seed {shown(spread.seed)}, test images {shown(spread.images)}"
    yield title
    more = f", transfer seed {transfer}, pair of seeds {shown(spread.rest)}" if trained else ""
    yield f"  standard deviation of a change by {parts}{more}"
    yield "  smallest gap that is found in 80 % of studies, by pretraining seeds"
    yield f"  {'':18}" + "".join(f"{n:>7}" for n in SEEDS)
    for m in TRANSFERS if trained else (1,):
        name = f"{m} transfer seed{'s' * (m > 1)}" if trained else "seeds"
        yield f"  {name:18}" + "".join(f"{shown(smallest_gap(spread, n, m)):>7}" for n in SEEDS)
    if gap is not None:
        counts = {m: needed_seeds(spread, gap, m) for m in (TRANSFERS if trained else (1,))}
        words = [f"{count or f'more than {MOST}'}" + f" ({m} transfer)" * trained for m, count in counts.items()]
        yield f"  a gap of {gap:g} takes {', '.join(words)} pretraining seeds"
    if trained:
        yield f"  {UNKNOWN if spread.transfer is None else LEFT_OUT}"


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=Path, help="config file whose records give the spread")
    source.add_argument("--seed-sd", type=float, help="of a change, by the pretraining seed")
    parser.add_argument("--image-sd", type=float, default=0.0, help="of a change, by the test images")
    parser.add_argument("--transfer-seed-sd", type=float, help="of a change, by the transfer seed")
    parser.add_argument("--gap", type=float, help="that is to be found")
    args = parser.parse_args()
    if args.config:
        found: list[Asked] = list(from_records(summarize(plan(load(args.config)))))
        if not found:
            raise UserError(
                f"{args.config}: no row and baseline with two pretraining seeds in common and per-image files"
            )
    else:
        found = [("given spread", None, Spread(args.seed_sd, args.image_sd, args.transfer_seed_sd), True)]
    print("\n".join([*(line for one in found for line in [*lines(*one, args.gap), ""]), ALONE]))


if __name__ == "__main__":
    main()
