"""One way to say that the input is at fault: one line on the terminal, no traceback."""

import functools
import sys
from collections.abc import Callable


class UserError(Exception):
    """Bad input. The message is one clear sentence that names the file and the key or line at fault."""


def door(main: Callable[[], None]) -> Callable[[], None]:
    """Wrap a command line's `main`: a UserError is printed as one line and ends the process with status 1."""

    @functools.wraps(main)
    def guarded() -> None:
        try:
            main()
        except UserError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            raise SystemExit(1) from None

    return guarded
