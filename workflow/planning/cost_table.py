"""The lines of the table of `make cost`."""

Cells = tuple[str, ...]  # of a line of the table
HEADING: Cells = ("", "runs", "ms a step", "steps", "training", "testing", "a run", "all")
WIDTHS = (28, 5, 11, 11, 11, 10, 11, 12)


def row(
    name: str, runs: int, step: float, steps: int, training: float, testing: float, start: float, whole: float
) -> Cells:
    """One line of the table."""
    hours = [f"{seconds / 3600:,.2f} h" for seconds in (training, testing, start + training + testing)]
    return (name, str(runs), f"{1000 * step:,.1f}", f"{steps:,}", *hours, f"{whole / 3600:,.1f} h")


def aligned(lines: list[Cells]) -> list[str]:
    """Lines whose columns are as wide as their longest cell, with a space before it, and as WIDTHS at least."""
    longest = [max(len(cell) for cell in column) + 1 for column in zip(*lines, strict=True)]
    first, *others = map(max, longest, WIDTHS)
    return [
        f"{name:{first}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, others, strict=True))
        for name, *cells in lines
    ]
