"""SSD's random crop (Liu et al., ECCV 2016, section 2.2): the box as ssd.pytorch draws it, the code that the CutMix
supplement names, under the condition of the authors' Caffe code.

ssd.pytorch draws both sides evenly. The Caffe code draws the root of the area, and then the ratio of the sides, which
makes more small and more large crops (tests). The Caffe code asks that *one* object overlap the crop by the minimum,
ssd.pytorch refuses no crop for its overlap, and mmdet's MinIoURandomCrop asks it of *every* object. mmdet tries its 50
crops one by one, which took 85 % of the time of the whole pipeline.
"""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import MinIoURandomCrop
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import autocast_box_type

TRIES = 50


@TRANSFORMS.register_module()
class SSDCrop(MinIoURandomCrop):
    """Keep the whole image, or the first of 50 drawn crops whose IoU with an object reaches a drawn minimum.

    A crop's sides are 0.3 to 1 of the image's, one at most twice the other; objects whose centre it holds stay,
    clipped. Another minimum is drawn if no crop will do; draws are numpy's.
    """

    @autocast_box_type()
    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """mmdet's sample, its image, boxes, labels and flags cropped."""
        height, width = results["img"].shape[:2]
        boxes = results["gt_bboxes"].numpy()
        while (minimum := self._random_mode()) != 1:
            crops = self.candidates(width, height)
            inside = holds_centre(crops, boxes)
            good = np.flatnonzero((overlaps(crops, boxes) >= minimum).any(axis=1) & inside.any(axis=1))
            if len(good):
                return self.cut(results, crops[good[0]], inside[good[0]])
        return results

    def candidates(self, width: int, height: int) -> np.ndarray:
        """Up to 50 crops as x1 y1 x2 y2 in whole pixels."""
        sides = np.random.uniform(self.min_crop_size, 1, (TRIES, 2)) * (width, height)
        corners = np.random.uniform(0, 1, (TRIES, 2)) * ((width, height) - sides)
        ratio = sides[:, 1] / sides[:, 0]
        return np.concatenate([corners, corners + sides], axis=1).astype(int)[(ratio >= 0.5) & (ratio <= 2)]

    def cut(self, results: dict[str, Any], crop: np.ndarray, kept: np.ndarray) -> dict[str, Any]:
        """The crop of image and annotation."""
        left, top, right, bottom = crop.tolist()
        results["img"] = results["img"][top:bottom, left:right]
        results["img_shape"] = results["img"].shape[:2]
        boxes = results["gt_bboxes"][kept]
        boxes.translate_([-left, -top])
        boxes.clip_([bottom - top, right - left])
        results["gt_bboxes"] = boxes
        for key in ("gt_bboxes_labels", "gt_ignore_flags"):
            results[key] = results[key][kept]
        return results


def overlaps(crops: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """IoU (n, m) of crops (n, 4) and boxes (m, 4)."""
    low = np.maximum(crops[:, None, :2], boxes[None, :, :2])
    high = np.minimum(crops[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    areas = [(which[:, 2:] - which[:, :2]).prod(axis=1) for which in (crops, boxes)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)


def holds_centre(crops: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether each crop (n, 4) has the centre of each box (m, 4) inside: (n, m)."""
    centres = (boxes[None, :, :2] + boxes[None, :, 2:]) / 2
    return ((crops[:, None, :2] < centres) & (centres < crops[:, None, 2:])).all(axis=2)


@TRANSFORMS.register_module()
class CountDifficult(BaseTransform):
    """Let objects that are marked as ignored, as VOC's difficult ones are, count like all others."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """mmdet's sample with no flag set."""
        results["gt_ignore_flags"] = np.zeros_like(results["gt_ignore_flags"])
        return results
