"""What the captioning rows measure on: COCO's sizes (photos of 640 × 480, five captions an image, 10,000 words), made.

A made caption follows one frame of eleven places: every third has its usual word, the others are open to hundreds, a
few of them frequent: about 2.2 nats a word, as a trained captioner has on COCO. The photos are those that REALMINI
names, or smooth noise.
"""

import os
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from captioning.vocabulary import BOS, EOS, SPECIAL, Vocabulary
from tests.checks import info
from workflow.core.files import write_json

FEATURES = 2048  # of a ResNet-50

WORDS, PLACES, CAPTIONS = 10_000, 11, 5
PAPER = yaml.safe_load((Path(__file__).parents[2] / "config/paper.yaml").read_text(encoding="utf-8"))
RECIPE = {key: value for key, value in PAPER["tasks"]["nic_coco"].items() if key != "epochs"} | {"eval_interval": 0}


def sentences(count: int, seed: int = 0) -> list[np.ndarray]:
    """Made captions as numbers: <start>, 7 to 15 words (mean 10.5), <end>."""
    draw, each = np.random.default_rng(seed), WORDS // PLACES
    steepness = np.where(np.arange(15) % PLACES % 3 == 0, 4.0, 1.4)[:, None]
    likely = np.arange(1, each + 1) ** -steepness
    ranks = np.stack([draw.choice(each, count, p=place / place.sum()) for place in likely], axis=1)
    words = len(SPECIAL) + np.arange(15) % PLACES * each + ranks
    lengths = np.clip(np.rint(draw.normal(10.5, 1.5, count)), 7, 15).astype(int)
    return [np.array([BOS, *line[:length], EOS], np.int32) for line, length in zip(words, lengths, strict=True)]


def language(folder: Path, images: int) -> None:
    """`vocabulary.json` and `captions.npz` as `captioning.vocabulary.make` writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    Vocabulary([*SPECIAL, *(f"word{n}" for n in range(WORDS))]).save(folder / "vocabulary.json")
    made = sentences(images * CAPTIONS)
    rows = np.repeat(np.arange(images, dtype=np.int32), CAPTIONS)
    np.savez(folder / "captions.npz", words=np.concatenate(made), ends=np.cumsum([*map(len, made)]), rows=rows)


def photos(folder: Path, count: int) -> list[Path]:
    """JPEGs of about 640 × 480."""
    if "REALMINI" in os.environ:
        found = sorted(Path(os.environ["REALMINI"]).glob("coco/*2014/*.jpg"))
        return [found[n % len(found)] for n in range(count)]
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    for n in range(count):
        rough = Image.fromarray(draw.integers(0, 256, (15, 20, 3), np.uint8)).resize((640, 480))
        noisy = np.asarray(rough) + draw.normal(0, 10, (480, 640, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{n}.jpg", quality=90)
    return [folder / f"{n}.jpg" for n in range(count)]


def coco(root: Path, train: int, test: int) -> Path:
    """A COCO layout with links to `photos`; returns its CHECK.json."""
    files = iter(photos(root / "photos", train + test))
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    for number, (name, count) in enumerate({"train2014": train, "val2014": test}.items()):
        (root / name).mkdir(exist_ok=True)
        images = [{"id": 10**6 * number + n, "file_name": f"{n}.jpg"} for n in range(count)]
        for image in images:
            (root / name / image["file_name"]).symlink_to(next(files).resolve())
        captions = [{"image_id": image["id"], "caption": "a word"} for image in images for _ in range(CAPTIONS)]
        write_json(root / f"annotations/captions_{name}.json", {"images": images, "annotations": captions})
    info(root=str(root), split="2014").write(root / "check.json")
    return root / "check.json"


def features(folder: Path, train: int, test: int, views: int) -> None:
    """A cache of made features, with the layout of `captioning.feature_cache.make`."""
    draw = np.random.default_rng(0)
    for split, shape in {"train": (train, views, FEATURES), "test": (test, 1, FEATURES)}.items():
        folder.mkdir(parents=True, exist_ok=True)
        array = np.lib.format.open_memmap(folder / f"{split}.npy", mode="w+", dtype=np.float16, shape=shape)
        for row in array:
            row[:] = draw.random(shape[1:], np.float32)
        array.flush()
