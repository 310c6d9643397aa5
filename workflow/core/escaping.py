"""Text from outside as it may be shown: file and class names, captions and keys of checkpoints can hold characters that
clear a terminal, forge a line or turn the direction of writing."""

import sys

from tqdm import tqdm


def printable(text: str, keep: str = "") -> str:
    """Text with an escape for each character that cannot be seen; in one line, unless line ends are in `keep`."""
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def say(text: str) -> None:
    """Print a line with names from outside, above a progress bar if there is one."""
    tqdm.write(printable(text))
    sys.stdout.flush()
