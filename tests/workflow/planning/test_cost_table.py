"""The lines of the table of `make cost`."""

import re

from workflow.planning.cost_table import HEADING, aligned, row


def test_a_line_of_the_table_has_milliseconds_and_hours():
    (line,) = aligned([row("ssd_voc", 3, 0.0125, 120_000, 5400.0, 900.0, 36.0, 19_008.0)])
    cells = zip(
        ("3", "12.5", "120,000", "1.50 h", "0.25 h", "1.76 h", "5.3 h"), (5, 11, 11, 11, 10, 11, 12), strict=True
    )
    assert line == f"{'ssd_voc':28}" + "".join(f"{text:>{width}}" for text, width in cells)


def test_columns_are_apart_however_long_names_and_hours_are():
    """PyramidNet-200 on a CPU: its numbers ran together."""
    cells = [row("pretrain pyramidnet200_a240_bottleneck", 99, 198.9721, 234_300, 4.7e7, 4e5, 0.0, 4.7e9),
             row("ood_cifar", 6, 0.0, 0, 0.0, 8640.0, 0.0, 51_840.0)]  # fmt: skip
    lines = aligned([HEADING, *cells])
    assert len({len(line) for line in lines}) == 1
    assert [re.sub(r"\s+", " ", line) for line in lines[1:]] == [" ".join(each) for each in cells]
