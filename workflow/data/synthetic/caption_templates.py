"""Captions of the demo data: five different English sentences on a scene, from few words."""

import numpy as np

from workflow.data.synthetic.scenes import Scene, SceneObject


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _size(thing: SceneObject, side: int) -> str:
    """`large` from 45 % of the shorter image side on, `small` up to 32 %, else nothing."""
    share = thing.side / side
    return "large " if share >= 0.45 else "small " if share <= 0.32 else ""


def _place(thing: SceneObject, width: int, height: int) -> str:
    """The part of the picture that a thing is in, judged on the axis on which it is farther from the middle."""
    x, y = thing.centre[0] / width - 0.5, thing.centre[1] / height - 0.5
    if max(abs(x), abs(y)) < 0.12:
        return "in the middle"
    if abs(x) > abs(y):
        return "on the left" if x < 0 else "on the right"
    return "at the top" if y < 0 else "at the bottom"


def _relation(first: SceneObject, second: SceneObject) -> tuple[str, str]:
    """How the first lies to the second, and the second to the first."""
    x, y = (a - b for a, b in zip(first.centre, second.centre, strict=True))
    if abs(x) > abs(y):
        words = ("to the left of", "to the right of")
        return words if x < 0 else words[::-1]
    return ("above", "below") if y < 0 else ("below", "above")


def _one(full: list[str], plain: list[str], place: str, ground: str) -> list[str]:
    return [
        f"{_with_article(full[0])} {place}",
        f"{_with_article(plain[0])} on a {ground} background",
        f"there is {_with_article(full[0])} {place} of the picture",
        f"a picture of {_with_article(full[0])}",
        f"one {plain[0]} {place} of the picture",
        f"a {ground} picture with {_with_article(plain[0])}",
    ]


def _two(things: list[SceneObject], full: list[str], plain: list[str], place: str, ground: str, kind: str) -> list[str]:
    a, b = (_with_article(words) for words in plain)
    large_a, large_b = (_with_article(words) for words in full)
    there, back = _relation(*things)
    both = f"{a} and {b}" if a != b else f"{a} and another {plain[1]}"
    return [
        f"{large_a} {there} {large_b}",
        f"{both} on a {ground} background",
        f"there is {a} {there} {b}",
        f"a picture of {both}",
        f"two {kind} with {large_a} {place}",
        f"{large_b} {back} {large_a}",
    ]


def _three(
    things: list[SceneObject], full: list[str], plain: list[str], place: str, ground: str, kind: str
) -> list[str]:
    a, b, c = (_with_article(words) for words in plain)
    return [
        f"three {kind} on a {ground} background",
        f"{a}, {b} and {c}",
        f"there are three {kind} with {_with_article(full[0])} {place}",
        f"a picture of three {kind}: {a}, {b} and {c}",
        f"{a} {_relation(*things[:2])[0]} {b} and {c}",
        f"three {kind} with {_with_article(full[0])} {place} of a {ground} picture",
    ]


def captions(scene: Scene, rng: np.random.Generator) -> list[str]:
    """Five of the six sentences that fit the scene, in a drawn order."""
    height, width = scene.pixels.shape[:2]
    plain = [thing.look.words for thing in scene.things]
    full = [_size(t, min(width, height)) + words for t, words in zip(scene.things, plain, strict=True)]
    place, ground = _place(scene.things[0], width, height), "bright" if scene.bright else "dark"
    if len(plain) == 1:
        sentences = _one(full, plain, place, ground)
    else:
        several = _two if len(plain) == 2 else _three
        sentences = several(scene.things, full, plain, place, ground, scene.kind)
    chosen = rng.permutation(len(sentences))[:5]
    return [sentences[i][0].upper() + sentences[i][1:] + "." for i in chosen]
