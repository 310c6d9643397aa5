"""How often the 95 % interval holds the true gap of simulated backbones; `make coverage` writes
docs/results/coverage.md.

At n = 1 the interval holds test-set noise alone: it should hold the gap of the two networks at hand, and does not hold
that of their backbones as often. From n = 3 on it should hold the backbones' gap.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.bench.simulated import Noise, captioners, detector, detectors, scene
from workflow.core.rng import rng
from workflow.reporting.publish import insert
from workflow.reporting.statistics.bootstrap import RESAMPLES, Resampled, resample
from workflow.reporting.statistics.intervals import LEVEL, average, crossed_interval, nested_interval
from workflow.reporting.statistics.per_image import Evidence

IMAGES, CLASSES, REPETITIONS, SEEDS = 400, 3, 600, (1, 3, 5)
GRID = np.linspace(-0.3, 0.4, 8)  # abilities at which a detector's points are looked up
HOUSE = Path(__file__).parents[2]
OUT, PAGE = HOUSE / "docs/results/coverage.md", HOUSE / "docs/statistics.md"

LABELS = {"on images": "per image", "even": "per image + common shift"}  # of a case's name, which its draws depend on

Points = Callable[[str, np.ndarray], np.ndarray]


class Case(NamedTuple):
    """`name` of the noise, how a pair of backbones is made for n seeds, and the points that abilities are worth."""

    name: str
    metrics: tuple[str, ...]
    make: Callable[..., tuple[list[list[Evidence]], np.ndarray]]
    noise: Noise
    gap: float
    points: Points


def detection_points(noise: Noise) -> Points:
    """mAP by ability: means over test sets of the same size, with the same draws for every ability."""
    found = {"mAP": [], "mAP_area": []}
    for ability in GRID:
        random = rng("points", str(noise))
        each = []
        for _ in range(300):
            seen = scene(random, IMAGES, CLASSES)
            own = noise.backbone_image * random.standard_normal(len(seen.image))
            each.append(resample(detector(random, seen, ability, own, noise), 1))
        for metric, values in found.items():
            values.append(np.mean([one[metric].point for one in each]))
    return lambda metric, abilities: np.interp(abilities, GRID, found[metric])


def cases() -> list[Case]:
    """Seeds that err on different images, and seeds that are as much again better or worse everywhere."""
    found = []
    for name, detecting, captioning in (
        ("on images", Noise(0.01, 0.5, 0.5), Noise(0.2, 20, 20)),
        ("even", Noise(0.05, 0.5, 0.5), Noise(1.0, 20, 20)),
    ):
        pair = partial(detectors, images=IMAGES, classes=CLASSES)
        found.append(Case(name, ("mAP", "mAP_area"), pair, detecting, 0.1, detection_points(detecting)))
        captions = partial(captioners, images=IMAGES)
        found.append(Case(name, ("CIDEr",), captions, captioning, 2.0, lambda _, abilities: abilities))
    return found


def measured(case: Case, n: int) -> list[str]:
    """Lines of the table: how often the intervals held the gaps, how wide they were, how far seeds lay apart."""
    held: dict[str, list[tuple]] = {metric: [] for metric in case.metrics}
    for repetition in range(REPETITIONS):
        random = rng("coverage", case.name, *case.metrics, n, repetition)
        sides, abilities = case.make(random, case.noise, case.gap, n)
        drawn = [[resample(run) for run in side] for side in sides]
        for metric in case.metrics:
            own, base = ([run[metric] for run in side] for side in drawn)
            delta = float(np.mean([run.point for run in own]) - np.mean([run.point for run in base]))
            low, high = limits(own, base, delta)
            means = case.points(metric, abilities).mean(axis=1)
            truth = _expected(case, metric), means[0] - means[1]
            spread = np.var([run.point for run in own], ddof=1) if n > 1 else np.nan
            held[metric].append((*(low <= gap <= high for gap in truth), high - low, spread))
    return [_line(case, metric, n, np.array(values, dtype=float)) for metric, values in held.items()]


def limits(own: list[Resampled], base: list[Resampled], delta: float) -> tuple[float, float]:
    """Of the interval of rows whose seeds have nothing in common, as those simulated here; with one seed, for which
    the report has none, of the paired bootstrap of the images."""
    if len(own) > 1:
        found = nested_interval(own, base, delta, "")
        return found.low, found.high
    differences, tail = average(own).draws - average(base).draws, 100 * (1 - LEVEL) / 2
    low, high = np.percentile(differences, [tail, 100 - tail]) + (delta - differences.mean())
    return float(low), float(high)


def _expected(case: Case, metric: str) -> float:
    """The gap of the backbones: over all seeds."""
    seeds = case.noise.seed * rng("expected").standard_normal(100_000)
    return float(np.mean(case.points(metric, seeds + case.gap) - case.points(metric, seeds)))


def _line(case: Case, metric: str, n: int, values: np.ndarray) -> str:
    backbones, networks, width, variance = values.mean(axis=0)
    apart = f"{variance**0.5:.2f}" if n > 1 else ""
    own = f"{100 * networks:.1f} %" if n == 1 else ""
    gap = _expected(case, metric)
    name = LABELS[case.name]
    return f"| {metric} | {name} | {n} | {gap:.2f} | {apart} | {width:.2f} | {100 * backbones:.1f} % | {own} |"


class Design(NamedTuple):
    """How seeds were run, and what they do: `n` pretraining and `m` transfer seeds, whose effects on two rows
    correlate, or that are not the same in both (nested). Standard deviations of what a seed and a pair of seeds do."""

    n: int
    m: int
    correlation: float
    transfer: float
    nested: bool = False
    seed: float = 0.3
    pair: float = 0.0

    @property
    def transfers(self) -> str:
        """What a transfer seed does, in words."""
        if self.pair:
            return "interaction with the pretraining seed only"
        return "as a pretraining seed" if self.transfer else "none"


DESIGNS = [
    *(Design(n, 1, correlation, 0.0) for correlation in (0.0, 0.5, 0.95) for n in (3, 5, 10)),
    *(Design(n, 1, 0.0, 0.0, nested=True) for n in (3, 5, 10)),
    *(Design(n, m, 0.5, 0.3) for m in (1, 2, 3, 5) for n in (3, 5)),
    *(Design(n, m, 0.0, 0.0, seed=0.0, pair=0.3) for m in (2, 3, 5) for n in (3, 5)),
]
PHOTOS, GAP, TRIES = 200, 0.3, 2000  # images of a test set, true gap, pairs of rows


def rows_of(design: Design, random: np.random.Generator) -> list[list[list[Resampled]]]:
    """Two rows of runs, whose metric is a mean over the images."""
    shape = (2, design.n, design.m, PHOTOS)

    def effects(count: int, size: float) -> np.ndarray:
        alike, apart = random.standard_normal((1, count)), random.standard_normal((2, count))
        return size * (design.correlation**0.5 * alike + (1 - design.correlation) ** 0.5 * apart)

    values = 3 * random.standard_normal(PHOTOS) + 0.5 * random.standard_normal((2, 1, 1, PHOTOS))
    values = (
        values + effects(design.n, design.seed)[:, :, None, None] + effects(design.m, design.transfer)[:, None, :, None]
    )
    values = values + 0.5 * random.standard_normal(shape) + design.pair * random.standard_normal((*shape[:3], 1))
    values[0] += GAP
    drawn = random.multinomial(PHOTOS, np.full(PHOTOS, 1 / PHOTOS), size=200).T / PHOTOS
    means, draws = values.mean(axis=-1), values @ drawn
    return [
        [[Resampled(float(means[side, p, s]), draws[side, p, s]) for s in range(design.m)] for p in range(design.n)]
        for side in (0, 1)
    ]


def design_line(design: Design) -> str:
    """How often the interval of a design held the gap, and how wide it was."""
    random, held = rng("designs", str(design)), []
    for _ in range(TRIES):
        own, base = rows_of(design, random)
        delta = float(
            np.mean([run.point for row in own for run in row]) - np.mean([run.point for row in base for run in row])
        )
        if design.nested:
            found = nested_interval([row[0] for row in own], [row[0] for row in base], delta, "")
        else:
            found = crossed_interval(own, base, delta, "")
        held.append((found.low <= GAP <= found.high, found.high - found.low))
    share, width = np.mean(held, axis=0)
    seeds = "nested" if design.nested else f"crossed, correlation {design.correlation:g}"
    return f"| {seeds} | {design.n} | {design.m} | {design.transfers} | {100 * share:.1f} % | {width:.2f} |"


COLUMNS = ("seeds", "pretraining seeds", "transfer seeds", "a transfer seed's effect", "contains the gap", "mean width")
DESIGN_HEAD = f"| {' | '.join(COLUMNS)} |\n|:--|--:|--:|:--|--:|--:|\n"
HEAD = f"""# Empirical coverage of the nominal 95 % interval

Simulated pairs of backbones with a known gap: {REPETITIONS} pairs per line, each with its own {IMAGES} test images,
with {RESAMPLES:,} resamples; detectors with {CLASSES} classes, captioners with a skewed score per image. The
Monte-Carlo error near 95 % is {100 * (0.95 * 0.05 / REPETITIONS) ** 0.5:.1f} points. Written by `make coverage`.

Seed effect: *per image*: a seed changes nearly only single images, some for the better and some for the worse (a
standard deviation of about 1 point on {IMAGES} images would be 0.3 on VOC07's 4,952); *per image + common shift*: a
seed also shifts all images alike, by as much again. At n = 1 the interval reflects test-set sampling only: it is right
about the two networks at hand, and too narrow for their backbones if seeds have a common shift.

| metric | seed effect | n | true gap | std of seeds | mean width | contains the backbones' gap | the networks' gap |
|:--|:--|--:|--:|--:|--:|--:|--:|
"""


def short(table: str) -> str:
    """The table of docs/statistics.md, from the long one: how often the backbones' gap is held, a column for each n."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if "%" in line]
    held = {(metric, differ, int(n)): share for metric, differ, n, _, _, _, share, _ in rows}
    lines = [
        "| metric | seed effect | " + " | ".join(f"n = {n}" for n in SEEDS) + " |",
        "|:--|:--|" + "--:|" * len(SEEDS),
    ]
    for metric, differ in dict.fromkeys(key[:2] for key in held):
        lines.append(f"| {metric} | {differ} | " + " | ".join(held[metric, differ, n] for n in SEEDS) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write the table, and the short one of docs/statistics.md."""
    lines = []
    print(HEAD, end="")
    for case in cases():
        for n in SEEDS:
            for line in measured(case, n):
                print(line, flush=True)
                lines.append(line)
    designs = DESIGN_HEAD + "\n".join(map(design_line, DESIGNS))
    print(designs)
    OUT.write_text(HEAD + "\n".join(lines) + f"\n\n## Designs\n\n{designs}\n", encoding="utf-8")
    insert(PAGE, "coverage", short("\n".join(lines)))
    insert(PAGE, "designs", designs)


if __name__ == "__main__":
    main()
