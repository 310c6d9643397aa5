"""One way to say that the input or the machine is at fault: one line on the terminal, no traceback."""

import errno
import functools
import os
import sys
import time
from collections.abc import Callable

from workflow.core.code_hash import watch
from workflow.core.escaping import printable
from workflow.core.signals import Interrupted, handling, stop_now

SECONDS_FOR_THE_FIRST = 5.0
FULL = {errno.ENOSPC: "no space left on the disk", errno.EDQUOT: "the disk quota is used up"}


class UserError(Exception):
    """Bad input, or a machine that fails. The message is one clear sentence that names the file and the key or line, in
    one line whatever their names are."""

    def __str__(self) -> str:
        return printable(super().__str__())


def full(error: BaseException) -> str:
    """Which disk is full, in words; empty if that is not what `error` says. Some libraries wrap the system's error."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, OSError) and cause.errno in FULL:
            return FULL[cause.errno] + (f" (writing {printable(str(cause.filename))})" if cause.filename else "")
        for number, words in FULL.items():
            if os.strerror(number) in str(cause):
                return words
        cause = cause.__cause__ or cause.__context__
    return ""


def refused(error: Exception) -> str:
    """What the system does not allow, and what to do: a full disk, a file that cannot be read or written. Empty if that
    is not what `error` says."""
    if reason := full(error):
        return f"{reason}; free some and give the same command again"
    if isinstance(error, OSError) and error.filename:
        return printable(f"{error.filename}: {error.strerror}")
    return ""


def further() -> bool:
    """Whether this is one of several processes that train together, and not the first."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK") != "0"


def exit_with(text: str, status: int) -> SystemExit:
    """Print why the process ends. Of several processes that train together all may have the same to say: the first says
    it at once, and torchrun ends the others while they wait."""
    if further():
        time.sleep(SECONDS_FOR_THE_FIRST)
    print(text, file=sys.stderr, flush=True)
    return SystemExit(status)


def cli_entry_point(main: Callable[[], None]) -> Callable[[], None]:
    """Wrap a command line's `main`: a UserError, a refusal of the system, SIGTERM and Ctrl-C end it with one line."""

    @functools.wraps(main)
    def guarded() -> None:
        watch()
        try:
            with handling(stop_now):
                main()
        except UserError as error:
            raise exit_with(f"error: {error}", 1) from None
        except Interrupted as stopped:
            if further():
                raise SystemExit(stopped.status) from None
            raise exit_with(f"stopped {stopped}", stopped.status) from None
        except Exception as error:
            if not (reason := refused(error)):
                raise
            raise exit_with(f"error: {reason}", 1) from None

    return guarded
