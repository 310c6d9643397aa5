"""A row of the benchmark table: something of ours and what people would use instead, measured in turn."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

REPEATS = 5


@dataclass(frozen=True)
class Measured:
    """Medians in the row's unit; `ratio`: how many times as fast ours is, the median over the pairs. `photos`: "real"
    or "drawn", of a row that loads some; `machine` and `month` (2026-11): where and when."""

    ours: float
    reference: float | None = None
    ratio: float | None = None
    photos: str = ""
    machine: str = ""
    month: str = ""

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]], units: float | None = None) -> "Measured":
        """From the seconds of ours and the reference's, which did `units` of work each (images, for a row in images/s);
        None: the row is in seconds."""
        ratio = statistics.median(theirs / own for own, theirs in pairs)
        sides = [statistics.median(side) for side in zip(*pairs, strict=True)]
        return cls(*(sides if units is None else [units / side for side in sides]), ratio)


@dataclass(frozen=True)
class Row:
    """`measure` runs in a process of its own. `target` bounds the ratio from below, or the seconds of a row without
    reference from above. `why` says, for a row that misses its target, what the profile shows stands in the way.
    `loads`: photos, real ones if there are some."""

    name: str
    what: str
    reference: str
    unit: str  # "s", "waits", or something a second, of which more is better
    target: float
    measure: Callable[[], Measured]
    why: str = ""
    loads: bool = False

    def met(self, measured: Measured) -> bool:
        """As printed: two decimals decide."""
        if measured.ratio is None:
            return measured.ours <= self.target
        return round(measured.ratio, 2) >= self.target


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(
    ours: Callable[[], object], reference: Callable[[], object], units: float | None = None, repeats: int = REPEATS
) -> Measured:
    """A B A B … after one call of each to warm up; `units` as in `Measured.of`."""
    ours(), reference()
    return Measured.of([(seconds(ours), seconds(reference)) for _ in range(repeats)], units)


def alone(work: Callable[[], object], repeats: int = REPEATS) -> Measured:
    """Seconds of one call, for a row without reference."""
    work()
    return Measured(statistics.median(seconds(work) for _ in range(repeats)))
