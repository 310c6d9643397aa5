"""A run's detector on photos of one's own: boxes in COCO's results format, and drawn on the photos.

Checked: a test image gets what the run's evaluation found on it, bit for bit.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

import detection.loading
import detection.models  # noqa: F401 (registers)
from backbones.trained_network import load_network, preprocessing
from detection.build_config import task
from detection.coco_results import Found, detections, joined, write
from detection.metric import whole_pixels
from detection.visualize import Thing, best_first, corners, draw_photo
from detection.visualize import detections as of_run
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import atomic, write_json
from workflow.training.prediction import Photo, files, predict, prepare, summary

UNUSED = ("LoadAnnotations",)  # steps of the evaluation's pipeline that a photo without objects has no need of


class Detector:
    """The trained detector of a run: `load` prepares a photo, calling it gives the `Found` of each."""

    def __init__(self, folder: Path) -> None:
        run, about, weights = load_network(folder)
        check = DatasetInfo(**about["dataset"])
        network = registry.network(about["network"])
        cfg = Config(task(run, check, preprocessing(about), network, folder, about["stride"]))
        init_default_scope(cfg.default_scope)
        model = MODELS.build(cfg.model)
        model.load_state_dict(weights)
        self.model = prepare(model, run.threads)
        self.precision, self.batch_size = run.recipe["precision"], cfg.val_dataloader.batch_size
        self.pipeline = Compose([step for step in cfg.val_dataloader.dataset.pipeline if step.type not in UNUSED])
        self.categories, self.edges = about["categories"], whole_pixels if check.set == "voc" else None
        self.names = dict(zip(self.categories, check.classes, strict=True))

    def load(self, number: int, path: Path) -> dict[str, Any]:
        """A photo for the network."""
        return self.pipeline({"img_path": str(path), "img_id": number})

    def __call__(self, photos: list[dict[str, Any]]) -> list[Found]:
        """What is found on each."""
        found = []
        for sample in self.model.test_step(pseudo_collate(photos)):
            boxes, *rest = (sample.pred_instances[key].cpu().numpy() for key in ("bboxes", "scores", "labels"))
            edges: Callable = self.edges or (lambda boxes: boxes)
            found.append((sample.ori_shape, detections(sample.img_id, edges(boxes), *rest, self.categories)))
        return found


def on_photos(folder: Path, paths: list[Path], out: Path, threshold: float | None = None) -> str:
    """Write `predictions.json` (COCO's results), `images.json` (COCO's images and categories) and each photo with its
    boxes.

    Args:
        folder: of a run.
        paths: photos and folders of photos.
        out: folder to write.
        threshold: lowest score of a box that is drawn; None: the one at which the run's F1 is highest.

    Returns:
        What was done, in a line.

    Raises:
        UserError: some files cannot be read (after all else is written), or the run did not keep its network.
    """
    photos, detector = files(paths), Detector(folder)
    least = of_run(folder, [], {})[0] if threshold is None else threshold
    found, speed = predict(photos, detector.load, detector, detector.batch_size, detector.precision)
    out.mkdir(parents=True, exist_ok=True)
    write(out / "predictions.json", joined([photo.result[1] for photo in found]))
    write_json(out / "images.json", listing(found, detector.names))
    for photo in found:
        draw(photo, detector.names, least, out)
    return f"{out}: {summary(found, speed, len(photos))}, boxes of score {least:.2f} or more are drawn"


def listing(found: list[Photo], names: dict[int, str]) -> dict[str, Any]:
    """The photos and classes that the results name by number, as COCO's annotation files have them."""
    images = [
        {"id": photo.number, "file_name": str(photo.path), "height": photo.result[0][0], "width": photo.result[0][1]}
        for photo in found
    ]
    return {"images": images, "annotations": [], "categories": [{"id": n, "name": name} for n, name in names.items()]}


def draw(photo: Photo, names: dict[int, str], least: float, out: Path) -> None:
    """`<number>_<name>.jpg` with the boxes of a photo."""
    boxes = photo.result[1]
    things = [
        Thing(names[category], corners(box), True, score)
        for category, box, score in zip(*(boxes[key].tolist() for key in ("category_id", "bbox", "score")), strict=True)
    ]
    with atomic(out / f"{photo.number}_{photo.path.stem}.jpg") as temporary:
        temporary.write_bytes(draw_photo(photo.path, best_first(things, least)))
