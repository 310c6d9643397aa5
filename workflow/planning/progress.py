"""How far a training is: `progress.json` in the folder of its resume state, for `python -m workflow status`. Nothing
else reads it, and no result depends on it."""

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "progress.json"


@dataclass(frozen=True)
class Progress:
    """What a training says of itself every few seconds.

    Args:
        iteration: completed ones.
        iterations: of the whole training.
        evaluating: whether it evaluates, for which no time is known.
        images_per_second: since this attempt began; 0 before its first iteration.
        seconds_left: of training, at the speed since this attempt began; 0 before its first iteration.
        time: when it was written, in seconds since 1970.
    """

    iteration: int
    iterations: int
    evaluating: bool
    images_per_second: float
    seconds_left: float
    time: float

    def write(self, state: Path) -> None:
        """Atomically; a disk that is full or slow is no matter of the training."""
        part = state / f".{FILE}.part"
        with contextlib.suppress(OSError):
            part.write_text(json.dumps(asdict(self)), encoding="utf-8")
            part.replace(state / FILE)

    @classmethod
    def read(cls, state: Path) -> "Progress | None":
        """None if there is none, or none of this version."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return cls(**json.loads((state / FILE).read_text(encoding="utf-8")))
        return None
