"""How the gallery is drawn: rows of photos with their labels, as one PNG. Inches throughout."""

import io
import textwrap
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from workflow.reporting.figures import COMMENT, comment

CELL, GAP, MARGIN, LINE, SQUARE = 1.9, 0.12, 2.4, 0.125, 0.075  # photo, space, names of the rows, line of text, square
DPI, LARGEST = 100, 1_500_000  # bytes: the picture is part of a page


@dataclass
class Row:
    """A row of the figure: photos uint8 (N, 3, H, W) and class probabilities (N, classes).

    `words` say what is done; `kept` (N, modules) which of the modules that are switched as a whole are on, if any are.
    """

    name: str
    words: list[str]
    photos: "Tensor"
    targets: "Tensor"
    kept: "Tensor | None" = None


def caption(weights: "Tensor", names: list[str], width: int = 32) -> list[str]:
    """Lines like `cat 0.62 · dog 0.38` for class probabilities (classes,): the three largest that stand out, and the
    sum of the rest."""
    order = [n for n in weights.argsort(descending=True, stable=True).tolist() if weights[n] > 0]
    tie = weights[order[3]] if len(order) > 3 else 0
    top = [n for n in order[:3] if weights[n] > tie]
    parts = [f"{textwrap.shorten(names[n], 22, placeholder='…')} {weights[n]:.2f}" for n in top]
    if len(order) > len(top):
        parts.append(f"{len(order) - len(top)} {'others' if top else 'classes'} {weights[order[len(top) :]].sum():.2f}")
    lines = parts[:1]
    for part in parts[1:]:
        joined = f"{lines[-1]} · {part}"
        lines = [*lines[:-1], joined] if len(joined) <= width else [*lines, part]
    return lines


def draw(rows: list[Row], names: list[str], made_of: dict[str, str]) -> bytes:
    """The figure as a PNG that says what it was `made_of` (workflow.reporting.figures), in 256 colours if it would be
    too large a part of a page otherwise."""
    captions = [[caption(weights, names) for weights in row.targets] for row in rows]
    heights = [
        max(
            CELL + LINE * (max(map(len, lines)) + 2 + (row.kept is not None)),
            0.22 + 1.15 * LINE * (len(label_lines(row)) + 1),
        )
        for row, lines in zip(rows, captions, strict=True)
    ]
    width, height = MARGIN + len(captions[0]) * (CELL + GAP), sum(heights) + GAP
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    top = height - GAP
    for row, lines, tall in zip(rows, captions, heights, strict=True):
        draw_row(figure, row, lines, top)
        top -= tall
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={COMMENT: comment(made_of)})
    if buffer.tell() > LARGEST:
        small, about = Image.open(buffer).convert("RGB").quantize(256), PngInfo()
        about.add_itxt(COMMENT, comment(made_of))
        buffer = io.BytesIO()
        small.save(buffer, format="png", optimize=True, pnginfo=about)
    return buffer.getvalue()


def label_lines(row: Row) -> list[str]:
    """The lines beside a row."""
    return [line for text in row.words or ["no regularizer"] for line in textwrap.wrap(text, 34)]


def draw_row(figure: Figure, row: Row, captions: list[list[str]], top: float) -> None:
    """One row, its upper edge at `top` inches: what it is, photos, squares, captions."""
    width, height = figure.get_size_inches()

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / width, y / height, text, va="top", parse_math=False, **style)

    write(GAP, top, row.name, fontsize=10, weight="bold")
    write(GAP, top - 0.22, "\n".join(label_lines(row)), fontsize=7.5, linespacing=1.3, color="0.25")
    for n, lines in enumerate(captions):
        left, below = MARGIN + n * (CELL + GAP), top - CELL - 0.06
        axes = figure.add_axes((left / width, (top - CELL) / height, CELL / width, CELL / height))
        axes.imshow(row.photos[n].permute(1, 2, 0).numpy())
        axes.set_axis_off()
        for m, kept in enumerate([] if row.kept is None else row.kept[n].tolist()):
            corner = (left + m * CELL / row.kept.shape[1]) / width, (below - SQUARE) / height
            square = Rectangle(corner, SQUARE / width, SQUARE / height, transform=figure.transFigure, fill=kept)
            figure.add_artist(square)
        write(left, below - (LINE if row.kept is not None else 0), "\n".join(lines), fontsize=7.5, linespacing=1.3)
