"""The figure of the workflow, docs/dag.svg, from the rules of the demo: `python -m tests.dag_figure` writes it.

Rules are grouped into boxes. An arrow is an edge of Snakemake's own rule graph between two boxes, unless a longer way
through other boxes says the same (transitive reduction)."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[1]
FIGURE = PROJECT / "docs/dag.svg"
WIDTH, HEIGHT, GAP = 168, 92, 36  # of a box, and between two columns, px


class Box(NamedTuple):
    """Rules that are drawn as one: their rules, column and row (in boxes), and the lines below the title."""

    rules: tuple[str, ...]
    column: float
    row: float
    lines: tuple[str, ...]


DRAWN = "activations", "detections", "captions", "localization", "box_accuracy", "robustness_curves"
BOXES = {
    "data": Box(
        ("make_data", "fetch_data", "fetch_weights", "data", "check_data", "checked"), 0, 1.8,
        ("ImageNet, VOC, COCO,", "CUB: generated or", "official, validated"),
    ),
    "backbone": Box(
        ("pretrain", "import_backbone", "random_backbone"), 1, 1.8,
        ("one per regularizer", "and seed: pretrained,", "imported or random"),
    ),
    "detection": Box(("detection",), 2.5, 1.2, ("SSD300, Faster R-CNN:", "fine-tuned", "on VOC and COCO")),
    "features": Box(("features", "vocabulary"), 2, 0, ("of COCO's images,", "computed once;", "vocabulary")),
    "captioning": Box(("captioning",), 3, 0, ("NIC: trained on", "features and captions", "of COCO")),
    "localization": Box(
        ("localization", "evaluate_localization"), 2.5, 2.4,
        ("class activation maps", "and their boxes,", "on ImageNet and CUB"),
    ),
    "robustness": Box(
        ("evaluate_robustness",), 2.5, 3.6, ("the classifier under", "attacks, occlusion", "and corruptions"),
    ),
    "classification": Box(
        ("classification", "embeddings", "evaluate_classification"), 2.5, 4.8,
        ("frozen features: kNN,", "linear probe; or all", "fine-tuned, any set"),
    ),
    "report": Box(
        ("gallery", "report", "all", *(f"draw_{name}" for name in DRAWN)), 4, 1.8,
        ("one table with", "intervals and verdicts,", "figures, one page"),
    ),
}  # fmt: skip

STYLE = """text { font: 12.5px -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; fill: #5d6368; }
.title { font-weight: 600; font-size: 15px; fill: #1d1f21; }
rect { fill: #fdfdfb; stroke: #8c8f91; stroke-width: 1.5; }
path { fill: none; stroke: #8c8f91; stroke-width: 1.5; marker-end: url(#head); }
marker path { fill: #8c8f91; stroke: none; marker-end: none; }"""

Edges = set[tuple[str, str]]


def rule_graph(config: Path = PROJECT / "config/demo.yaml", folder: Path = PROJECT) -> Edges:
    """(earlier rule, later rule) of each edge of `snakemake --rulegraph`."""
    call = [sys.executable, "-m", "snakemake", "-s", str(PROJECT / "Snakefile"), "--rulegraph", "--configfile"]
    dot = subprocess.run([*call, str(config)], cwd=folder, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', dot))
    return {(names[one], names[other]) for one, other in re.findall(r"(\d+) -> (\d+)", dot)}


def edges(rules: Edges) -> Edges:
    """The edges between boxes that no longer way replaces. KeyError if a rule is in no box."""
    box = {rule: name for name, box in BOXES.items() for rule in box.rules}
    between = {(box[one], box[other]) for one, other in rules if box[one] != box[other]}
    return {edge for edge in between if edge[1] not in reached(edge[0], between - {edge})}


def reached(start: str, between: Edges) -> set[str]:
    """All boxes that lie behind one."""
    found: set[str] = set()
    todo = [start]
    while todo:
        one = todo.pop()
        behind = {other for earlier, other in between if earlier == one} - found
        found |= behind
        todo += behind
    return found


def corner(box: Box) -> tuple[float, float]:
    """Of a box: left, top, in px."""
    return 4 + box.column * (WIDTH + GAP), 4 + box.row * (HEIGHT + 20)


def arrow(one: str, other: str) -> str:
    """From the right side of a box to the left side of another, as a curve."""
    (left, top), (end, height) = corner(BOXES[one]), corner(BOXES[other])
    x, y, z = left + WIDTH, top + HEIGHT / 2, height + HEIGHT / 2
    bend = max(0.8 * GAP, (end - x) / 2)
    return f'<path id="{one}-{other}" d="M{x:g} {y:g}C{x + bend:g} {y:g} {end - bend:g} {z:g} {end - 2:g} {z:g}"/>'


def svg_box(box: str) -> str:
    """A box with its title and lines."""
    left, top = corner(BOXES[box])
    x = f'x="{left + 12:g}"'
    lines = [f'<rect x="{left:g}" y="{top:g}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>']
    lines.append(f'<text class="title" {x} y="{top + 24:g}">{box}</text>')
    lines += [f'<text {x} y="{top + 45 + 17 * n:g}">{text}</text>' for n, text in enumerate(BOXES[box].lines)]
    return "\n".join(lines)


def svg(between: Edges) -> str:
    """The figure."""
    right = max(corner(box)[0] for box in BOXES.values()) + WIDTH + 4
    bottom = max(corner(box)[1] for box in BOXES.values()) + HEIGHT + 4
    head = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right:g} {bottom:g}" width="{right:g}" role="img">',
            f"<title>{'; '.join(f'{one} to {other}' for one, other in sorted(between))}</title>",
            f"<style>{STYLE}</style>",
            f'<defs>{head}<path d="M0 0L8 4L0 8z"/></marker></defs>',
            f'<rect width="{right:g}" height="{bottom:g}" style="fill:#ffffff;stroke:none"/>',
            *(arrow(*edge) for edge in sorted(between)),
            *map(svg_box, BOXES),
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    FIGURE.write_text(svg(edges(rule_graph())), encoding="utf-8")
