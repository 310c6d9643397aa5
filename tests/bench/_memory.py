"""How much memory a process takes for itself."""

import threading
from pathlib import Path
from types import TracebackType

EVERY = 0.05  # seconds


def anonymous() -> float:
    """MiB of this process's own memory (RssAnon). Pages of a mapped file are the system's, which takes them back."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 2**10


class Peak(threading.Thread):
    """`with Peak() as peak: …`, and `peak.MiB` is the most that was seen."""

    def __enter__(self) -> "Peak":
        self.MiB, self.ended = anonymous(), threading.Event()
        self.start()
        return self

    def run(self) -> None:
        """Looks again and again."""
        while not self.ended.wait(EVERY):
            self.MiB = max(self.MiB, anonymous())

    def __exit__(self, *raised: type | BaseException | TracebackType | None) -> None:
        self.ended.set()
        self.join()
        self.MiB = max(self.MiB, anonymous())
