"""How long jobs take together, some of which wait for others, with a number of places to run them."""

import functools
import heapq
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """Its seconds, and the names of the jobs that must be finished before."""

    seconds: float
    needs: tuple[str, ...] = ()


def makespan(jobs: Mapping[str, Job], places: int) -> float:
    """Seconds until the last job is finished, `places` at once. Of those that can begin, the one that is followed by
    the longest chain goes first."""
    after: dict[str, list[str]] = {name: [] for name in jobs}
    for name, job in jobs.items():
        for need in job.needs:
            after[need].append(name)

    @functools.cache
    def chain(name: str) -> float:
        return jobs[name].seconds + max(map(chain, after[name]), default=0.0)

    waiting = {name: len(job.needs) for name, job in jobs.items()}
    ready = [name for name, left in waiting.items() if not left]
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        ready.sort(key=chain)
        while ready and len(running) < places:
            name = ready.pop()
            heapq.heappush(running, (now + jobs[name].seconds, name))
        now, done = heapq.heappop(running)
        for name in after[done]:
            waiting[name] -= 1
            if not waiting[name]:
                ready.append(name)
    return now
