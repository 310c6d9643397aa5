"""Which runs of two rows repeat each other. The rows of a table share their seeds, so what a seed does to both cancels
in the change; files from elsewhere, and rows of other seed lists, share none."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from workflow.reporting.outcome import FinishedRun

Unit = tuple[str, int]  # what was repeated, pretraining or transfer, and its seed
Rows = tuple[tuple[FinishedRun, ...], ...]
IMAGES = "test images"


@dataclass(frozen=True)
class Pairing:
    """The runs behind a change.

    Args:
        own: for each unit of a row its runs; where units are crossed, one for each transfer seed in both rows.
        base: of its baseline; the same units in the same order where they are crossed.
        crossed: whether the rows have seeds in common.
        covers: whose chance an interval from these holds, and whose it does not.
        seeds: of the row's runs that are compared, where one of the rows has others too; otherwise none.
    """

    own: Rows
    base: Rows
    crossed: bool
    covers: str
    seeds: tuple[str, ...] = ()

    @property
    def grid(self) -> bool:
        """Whether each unit has the same transfer seeds, so that these are crossed, too."""
        return self.crossed and same_transfers(self.own) and same_transfers(self.base)

    def change(self, value: Callable[[FinishedRun], float]) -> float:
        """The difference of the means of units, each the mean of its runs."""
        own, base = (fmean(fmean(map(value, row)) for row in side) for side in (self.own, self.base))
        return own - base


def same_transfers(rows: Rows) -> bool:
    """Whether all units have the same transfer seeds."""
    return len({tuple(run.seeds.get("transfer") for run in row) for row in rows}) == 1


def units(runs: Iterable[FinishedRun]) -> dict[Unit, list[FinishedRun]]:
    """The runs by what was repeated: pretraining, or transfer where there is one pretraining only.

    Runs that share a backbone are not independent: their mean is one unit.
    """
    runs = list(runs)
    once = len({run.seeds["pretrain"] for run in runs}) == 1
    groups: dict[Unit, list[FinishedRun]] = {}
    for run in runs:
        unit = ("transfer", run.seeds.get("transfer", 0)) if once else ("pretrain", run.seeds["pretrain"])
        groups.setdefault(unit, []).append(run)
    return groups


def pairing_of(own: Sequence[FinishedRun], base: Sequence[FinishedRun]) -> Pairing:
    """The design of two rows that were really run.

    With seeds in common, the change is of these only. Where these do not have the same transfer seeds each, the mean of
    a unit's common ones stands for it.
    """
    mine, others = units(own), units(base)
    common = [unit for unit in mine if unit in others]
    if not common:
        return Pairing(
            tuple(map(tuple, mine.values())), tuple(map(tuple, others.values())), False, f"seeds and {IMAGES}"
        )
    kept = [_same_transfers(mine[unit], others[unit]) for unit in common]
    rows = [tuple(tuple(one[side]) for one in kept) for side in (0, 1)]
    whole = all(sum(map(len, side)) == len(runs) for side, runs in zip(rows, (own, base), strict=True))
    seeds = () if whole else tuple(run.seed_name for row in rows[0] for run in row)
    return Pairing(rows[0], rows[1], True, _covered(common, rows[0]), seeds)


def _same_transfers(own: list[FinishedRun], base: list[FinishedRun]) -> tuple[list[FinishedRun], list[FinishedRun]]:
    """The runs of one unit that have the same transfer seed; all of them if there is none."""
    by_seed = [{run.seeds.get("transfer"): run for run in runs} for runs in (own, base)]
    seeds = [seed for seed in by_seed[0] if seed in by_seed[1]]
    if not seeds:
        return own, base
    return [by_seed[0][seed] for seed in seeds], [by_seed[1][seed] for seed in seeds]


def _covered(common: list[Unit], rows: Rows) -> str:
    if common[0][0] == "transfer":
        return f"transfer seeds and {IMAGES}" if "transfer" in rows[0][0].seeds else f"seeds and {IMAGES}"
    if "transfer" not in rows[0][0].seeds:
        return f"pretraining seeds and {IMAGES}"
    if len(rows[0]) > 1 and same_transfers(rows):
        return f"pretraining seeds, transfer seeds and {IMAGES}"
    return f"pretraining seeds and {IMAGES}, not the transfer seed"
