"""How the gallery is drawn: captions, every row, and no more bytes than a page can carry."""

import io

import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from pretrain import photo_grid
from pretrain.photo_grid import CELL, DPI, GAP, MARGIN, Row, caption, draw, draw_row
from workflow.reporting.figures import made_of

OF = {"runs/baseline/metrics.json": "a1"}
NAMES = ["cat", "dog", "cow", "owl", "elk"]


@pytest.mark.parametrize(
    ("weights", "lines"),
    [
        ([0.0, 1.0, 0.0, 0.0, 0.0], ["dog 1.00"]),
        ([0.62, 0.38, 0.0, 0.0, 0.0], ["cat 0.62 · dog 0.38"]),
        ([0.1, 0.2, 0.3, 0.4, 0.0], ["owl 0.40 · cow 0.30 · dog 0.20", "1 others 0.10"]),
        ([0.92, 0.02, 0.02, 0.02, 0.02], ["cat 0.92 · 4 others 0.08"]),
        ([0.2, 0.2, 0.2, 0.2, 0.2], ["5 classes 1.00"]),
        ([0.5, 0.3, 0.1, 0.1, 0.0], ["cat 0.50 · dog 0.30", "2 others 0.20"]),
        ([0.5, 0.2, 0.2, 0.1, 0.0], ["cat 0.50 · dog 0.20 · cow 0.20", "1 others 0.10"]),
        ([0.0, 0.0, 0.5, 0.3, 0.2], ["cow 0.50 · owl 0.30 · elk 0.20"]),
    ],
)
def test_a_caption_names_up_to_three_and_sums_the_rest(weights, lines):
    assert caption(torch.tensor(weights), NAMES) == lines


def test_long_names_are_cut_and_wrapped():
    lines = caption(torch.tensor([0.5, 0.5]), ["an exceedingly long name of a class", "another exceedingly long one"])
    assert len(lines) == 2
    assert all("…" in line and line.endswith(" 0.50") and len(line) <= 32 for line in lines)


def rows_of(count, side=24):
    generator = torch.Generator().manual_seed(0)
    photos = torch.randint(0, 256, (count, 3, 3, side, side), dtype=torch.uint8, generator=generator)
    kept = torch.tensor([[True, False]]).expand(3, 2)
    return [Row(f"$row_{n}", ["$x^"], photos[n], torch.eye(3), kept if n == 1 else None) for n in range(count)]


def picture_of(data):
    return torch.tensor(list(Image.open(io.BytesIO(data)).convert("RGB").tobytes()), dtype=torch.uint8).view(
        *Image.open(io.BytesIO(data)).size[::-1], 3
    )


def test_every_row_is_drawn_with_its_name_and_photos():
    rows = rows_of(3)
    drawn = picture_of(draw(rows, ["$a_b", "\\x", "%"], {}))
    height, width = drawn.shape[:2]
    assert width == round((MARGIN + 3 * (CELL + GAP)) * DPI)
    assert height > 3 * CELL * DPI
    top, tall = GAP, (height / DPI - GAP - photo_grid.LINE) / 3  # the second row has a line more
    for n in range(3):
        at = top + n * tall + (photo_grid.LINE if n == 2 else 0)
        strip = drawn[round(at * DPI) : round((at + 0.3) * DPI)]
        assert (strip[:, : round(MARGIN * DPI) - 5] < 100).any(), "a name in the margin"
        for c in range(3):
            left = MARGIN + c * (CELL + GAP)
            cell = drawn[round((at + 0.1) * DPI) : round((at + CELL - 0.1) * DPI), round((left + 0.1) * DPI) :]
            assert (cell[:, : round((CELL - 0.2) * DPI)] != 255).any(2).float().mean() > 0.9


def test_squares_are_filled_or_hollow():
    row = rows_of(2)[1]
    row.photos = torch.full_like(row.photos, 255)
    drawn = picture_of(draw([row], NAMES, {}))
    below = round((GAP + CELL + 0.06 + photo_grid.SQUARE / 2) * DPI)
    left = [round((MARGIN + m * CELL / 2 + photo_grid.SQUARE / 2) * DPI) for m in range(2)]
    filled, hollow = (drawn[below, x].tolist() for x in left)
    assert filled != [255, 255, 255]
    assert hollow == [255, 255, 255]


def test_the_same_rows_give_the_same_bytes_and_a_limit_holds(monkeypatch):
    rows = rows_of(3, side=190)
    plain = draw(rows, NAMES, OF)
    assert plain == draw(rows, NAMES, OF)
    assert Image.open(io.BytesIO(plain)).mode == "RGBA"
    monkeypatch.setattr(photo_grid, "LARGEST", len(plain) - 1)
    small = draw(rows, NAMES, OF)
    assert Image.open(io.BytesIO(small)).mode == "P"
    assert Image.open(io.BytesIO(small)).size == Image.open(io.BytesIO(plain)).size
    assert len(small) < len(plain) / 2
    assert made_of(plain) == made_of(small) == OF


def test_many_words_beside_a_row_do_not_run_into_the_next():
    row = rows_of(1)[0]
    before = picture_of(draw([row], NAMES, {})).shape[0]
    row.words = [f"backbone {n} is not shown: it has no fc" for n in range(12)]
    after = picture_of(draw([row], NAMES, {}))
    assert after.shape[0] > before
    beside = (after[:, : round((MARGIN - GAP) * DPI)] < 128).all(2).any(1).nonzero().max()
    assert beside < after.shape[0] - 2 * GAP * DPI


@pytest.mark.parametrize("kept", [True, False])
def test_nothing_of_a_row_covers_another_part_of_it(kept):
    """From the top: name and words; photos; below each its squares and its caption."""
    row = rows_of(2)[kept]
    row.words = ["a regularizer, with all of its parameters in many words of which some are long"]
    figure, top, lines = Figure(figsize=(MARGIN + 3 * (CELL + GAP), 3.5), dpi=DPI), 3.2, [["cat 0.50", "dog 0.50"]] * 3
    draw_row(figure, row, lines, top)
    figure.canvas.draw()
    name, words, *captions = [text.get_window_extent() for text in figure.texts]
    assert [text.get_text() for text in figure.texts[2:]] == ["cat 0.50\ndog 0.50"] * 3
    photos, squares = (
        [axes.get_window_extent() for axes in figure.axes],
        [s.get_window_extent() for s in figure.artists],
    )
    assert (len(photos), len(squares)) == (3, 6 * kept)
    assert top * DPI - name.y1 < 5
    assert 0 <= name.y0 - words.y1 < 20
    assert max(name.x1, words.x1) < photos[0].x0
    for n, (photo, below) in enumerate(zip(photos, captions, strict=True)):
        assert (photo.x0, photo.y1) == pytest.approx(((MARGIN + n * (CELL + GAP)) * DPI, top * DPI), abs=0.01)
        assert (photo.width, photo.height) == pytest.approx((CELL * DPI, CELL * DPI), abs=0.01)
        assert below.x0 == pytest.approx(photo.x0, abs=3)
        between = squares[2 * n : 2 * n + 2] if kept else []
        for m, square in enumerate(between):
            assert (square.x0 - photo.x0, square.width) == pytest.approx((m * 95, 7.5), abs=0.01)
            assert square.height == pytest.approx(7.5, abs=0.01)
            assert 0 < photo.y0 - square.y1 < 10
        edge = min([photo.y0, *(square.y0 for square in between)])
        assert 0 < edge - below.y1 < 12
