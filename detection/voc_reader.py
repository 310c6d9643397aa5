"""VOC as mmdet's datasets hand it on, read by the functions of the data check: mmdet's own reader knows .jpg alone, and
neither blank lines in a list nor an XML without a size."""

from pathlib import Path
from typing import Any

from mmdet.datasets import XMLDataset
from mmdet.registry import DATASETS

from workflow.data import voc
from workflow.data.held_out import part_of
from workflow.data.validation.voc_image_ids import voc_image_ids
from workflow.data.voc_lists import members


@DATASETS.register_module()
class ListedVOCDataset(XMLDataset):
    """The images of a split of VOC, or a part of them (`part_of`); `img_id` is the integer of predictions.json. On the
    devkit's files its list is that of mmdet's VOCDataset (tests)."""

    def __init__(self, split: str, held_out: bool | None = None, **kwargs: Any) -> None:
        self.split, self.held_out = split, held_out
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """The images and their objects."""
        images = members(self.data_root, self.split)
        ids = voc_image_ids(list(images))
        listed, part = zip(images.items(), ids, strict=True), part_of(ids, self.held_out)
        return [self._entry(name, image, number) for (name, image), number in listed if number in part]

    def _entry(self, name: str, image: Path, number: int) -> dict[str, Any]:
        """The devkit counts pixels from 1, mmdet from 0."""
        path = voc.annotation_path(self.data_root, self.split, name)
        size, objects = voc.read(path, image)
        labels = {name: label for label, name in enumerate(self.metainfo["classes"])}
        instances = [
            {
                "ignore_flag": int(difficult),
                "bbox": [edge - 1 for edge in voc.whole_pixels(box)],
                "bbox_label": labels[what],
            }
            for what, box, difficult in objects
        ]
        about = {"img_id": number, "img_path": str(image), "xml_path": str(path)}
        return {**about, "height": size[1], "width": size[0], "instances": instances}
