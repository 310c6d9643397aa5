"""The screen of `python -m workflow status`: a line with a bar for each task, then what runs and what needs a hand."""

import os
import shutil
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO, get_args

from workflow.config.loading import load
from workflow.core.escaping import printable
from workflow.core.signals import Interrupted
from workflow.planning.plan import Plan, plan
from workflow.reporting.status import State, Status, statuses

STATES: tuple[State, ...] = get_args(State)
COLUMNS: dict[State, int] = {state: max(len(state) + 1, 8) for state in STATES}  # widths
DETAILED: tuple[State, ...] = ("running", "failed", "stopped", "outdated")
COLORS = {"done": 32, "running": 36, "failed": 31, "stopped": 33, "outdated": 33}
BAR = 12  # cells
LISTED, LINES = 10, 3  # on a terminal: jobs of a state, and lines of each
CLEAR = "\x1b[H\x1b[J"


def show(files: Sequence[str]) -> None:
    """Print the screen of a config (files, or JSON) once."""
    _print(plan(load(*files)), sys.stdout)


def watch(files: Sequence[str], seconds: float) -> None:
    """Print it again and again, until Ctrl-C."""
    todo = plan(load(*files))
    try:
        while True:
            _print(todo, sys.stdout, CLEAR if sys.stdout.isatty() else "")
            time.sleep(seconds)
    except Interrupted:
        return


def _print(todo: Plan, out: TextIO, first: str = "") -> None:
    terminal = out.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    color = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = out.encoding or "ascii"
    unicode = encoding.lower().startswith("utf")
    text = "\n".join(screen(todo, statuses(todo), width, color, "█░" if unicode else "#-"))
    print(first + (text if unicode else encodable(text, encoding)), flush=True, file=out)


def encodable(text: str, encoding: str) -> str:
    """A text of the same length in the characters of an encoding."""
    return text.replace("…", "~").encode(encoding, "replace").decode(encoding)


def screen(plan: Plan, found: Sequence[Status], width: int | None, color: bool, cells: str) -> Iterator[str]:
    """The lines of the screen.

    Args:
        plan: whose jobs are shown.
        found: the status of each.
        width: columns of the terminal; None shortens nothing.
        color: whether states have one.
        cells: characters of a bar, for what is done and what is not.
    """
    runs = Counter(one.state for one in found if one.group in ("pretrain", *plan.tasks))
    yield f"{plan.experiment}: {runs['done']} of {runs.total()} runs done  {time.strftime('%H:%M:%S')}"
    yield ""
    groups = list(dict.fromkeys(one.group for one in found))
    names = max(len(name) for name in groups)
    names = min(names, max(8, width - BAR - 1 - sum(COLUMNS.values()))) if width else names
    yield " " * (names + 1 + BAR) + "".join(f"{state:>{COLUMNS[state]}}" for state in STATES)
    for group in groups:
        counts = Counter(one.state for one in found if one.group == group)
        filled = BAR * counts["done"] // counts.total()
        bar = paint(cells[0] * filled + cells[1] * (BAR - filled), "done", color)
        shown = {state: str(counts[state] or "") for state in STATES} | {"done": f"{counts['done']}/{counts.total()}"}
        numbers = (
            paint(f"{shown[state]:>{COLUMNS[state]}}", state if counts[state] else "", color) for state in STATES
        )
        yield f"{cut(group, names):{names}} {bar}{''.join(numbers)}".rstrip()
    for state in DETAILED:
        yield from details(state, [one for one in found if one.state == state], width, color)


def details(state: State, found: Sequence[Status], width: int | None, color: bool) -> Iterator[str]:
    """The jobs of a state, a paragraph with an empty line before it."""
    if not found:
        return
    yield ""
    yield paint(state, state, color)
    names = max(len(f"{one.group} {one.name}") for one in found)
    listed = found[:LISTED] if width else found
    for one in listed:
        line = f"{f'{one.group} {one.name}':{names}}  {printable(one.detail)}".rstrip()
        yield from textwrap.wrap(
            line, width - 1, initial_indent="  ", subsequent_indent="    ", max_lines=LINES, placeholder=" …",
            replace_whitespace=False, drop_whitespace=True,
        ) if width else ["  " + line]  # fmt: skip
    if len(listed) < len(found):
        yield f"  and {len(found) - len(listed)} more"


def cut(text: str, width: int) -> str:
    """At most so many columns of a text."""
    return text if len(text) <= width else text[: width - 1] + "…"


def paint(text: str, state: str, color: bool) -> str:
    """In the color of a state, if it has one."""
    return f"\x1b[{COLORS[state]}m{text}\x1b[0m" if color and state in COLORS else text
