"""How detections are drawn: a row for each image, the truth first, then a column for each backbone; one JPEG."""

import io
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detection.pictures import Scene, Thing

CELL, GAP, HEAD, DPI = 2.0, 0.08, 0.3, 110  # inches: longer side of a photo, space, height of the names; px an inch
LINE, LETTER = 0.17, 0.1  # inches of the names: a further line, and a letter on average
OBJECT, RIGHT, WRONG = "#ffffff", "#37d67a", "#ff7a59"  # truth, a detection that is right, one that is not


def draw(scenes: "list[Scene]", columns: "dict[str, list[list[Thing]]]", side: int, made_of: dict[str, str]) -> bytes:
    """`columns`: backbone to its detections on each scene. Photos are read with `side` px at most. The file says what
    it was `made_of` (workflow.reporting.figures)."""
    from matplotlib.figure import Figure
    from PIL import Image

    from workflow.reporting.figures import comment, jpeg, photo

    photos = [photo(scene.path, side) for scene in scenes]
    tall = [CELL * image.height / max(image.size) for image in photos]
    wide = max(CELL * image.width / max(image.size) for image in photos)
    shown = {"truth": [scene.truth for scene in scenes], **columns}
    names = ["\n".join(textwrap.wrap(name, max(1, int(wide / LETTER)))) for name in shown]
    head = HEAD + LINE * max(name.count("\n") for name in names)
    width, height = len(shown) * (wide + GAP) + GAP, head + sum(tall) + GAP * len(tall)
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    for place, name in enumerate(names):
        style = {"fontsize": 10, "weight": "bold", "va": "center", "ha": "left", "parse_math": False}
        text = figure.text((GAP + place * (wide + GAP)) / width, 1 - head / 2 / height, name, **style)
        text.set_fontsize(10 * min(1, wide * DPI / text.get_window_extent().width))
    top = height - head
    for row, (scene, image) in enumerate(zip(scenes, photos, strict=True)):
        original = Image.open(scene.path).size
        for place, things in enumerate(shown.values()):
            size = CELL * image.width / max(image.size), tall[row]
            left = GAP + place * (wide + GAP) + (wide - size[0]) / 2
            axes = figure.add_axes((left / width, (top - size[1]) / height, size[0] / width, size[1] / height))
            draw_cell(axes, image, original, things[row])
        top -= tall[row] + GAP
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return jpeg(Image.open(buffer).convert("RGB"), comment(made_of))


def draw_cell(axes: Any, image: Any, original: tuple[int, int], things: "list[Thing]") -> None:
    """One photo with boxes: solid where sure, dashed where not."""
    from matplotlib.patches import Rectangle

    axes.imshow(image, extent=(0, original[0], original[1], 0), interpolation="bilinear")
    axes.set_axis_off()
    for thing in things:
        x0, y0, x1, y1 = thing.box
        dashes = "-" if thing.sure else (0, (3, 2))
        for line in (
            {"edgecolor": "black", "linewidth": 2.6, "alpha": 0.4},
            {"edgecolor": colour(thing), "ls": dashes},
        ):
            axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **{"fill": False, "linewidth": 1.4, **line}))
    for thing in things:
        x0, y0, x1, _ = thing.box
        near = x0 < 0.6 * original[0]  # else the words end where the box does
        x, y = max(x0, 0) if near else min(x1, original[0]), max(y0, 0.06 * original[1])
        box = {"facecolor": colour(thing), "edgecolor": "none", "pad": 0.8, "alpha": 0.9}
        style = {"fontsize": 6, "va": "bottom", "ha": "left" if near else "right", "bbox": box, "parse_math": False}
        axes.text(x, y, thing.label, clip_on=True, **style)


def colour(thing: "Thing") -> str:
    """Of the box and behind its words."""
    return OBJECT if thing.score is None else RIGHT if thing.sure else WRONG
