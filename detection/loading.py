"""How the detectors read a photo: by the function of the data check and all other tasks, in mmdet's channel order."""

from typing import Any

from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS

from workflow.data.validation.decoding import decode


@TRANSFORMS.register_module()
class DecodeImage(LoadImageFromFile):
    """mmcv's step with another decoder: its own refuses files that other tasks read, and scales some otherwise."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """`img_path` to `img`, uint8 BGR (H, W, 3), and its shapes."""
        results["img"] = decode(results["img_path"], "BGR")
        results["img_shape"] = results["ori_shape"] = results["img"].shape[:2]
        return results
