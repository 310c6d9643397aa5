"""A run's captioner on photos of one's own.

Checked: a test image gets the caption that the run's evaluation gave it.
"""

from pathlib import Path
from typing import Any

import torch

from backbones.trained_network import load_network, preprocessing
from captioning import feature_cache
from captioning.encoder import Encoder, centre_view, load
from captioning.model import NIC, TEST_BATCH
from captioning.train import FROZEN, architecture
from workflow import registry
from workflow.core.escaping import printable
from workflow.core.files import write_json
from workflow.training.batches import fill_batch
from workflow.training.prediction import files, predict, prepare, summary


class Captioner:
    """The trained captioner of a run: `load` prepares a photo, calling it gives the caption of each."""

    def __init__(self, folder: Path) -> None:
        run, about, weights = load_network(folder)
        self.recipe, prepared = run.recipe, preprocessing(about)
        model = NIC(about["words"], **architecture(run.recipe, prepared, about))
        model.load_state_dict({key: value for key, value in weights.items() if not key.startswith(FROZEN)})
        self.model, self.encoder = prepare(model, run.threads), None
        if not run.recipe["finetune_encoder"]:
            encoder = Encoder(prepared, registry.network(about["network"]), about["stride"])
            own = {key.removeprefix(FROZEN): value for key, value in weights.items() if key.startswith(FROZEN)}
            encoder.network.load_state_dict(own)
            self.encoder = prepare(encoder, run.threads)

    def load(self, number: int, path: Path) -> tuple[int, torch.Tensor]:
        """Number and centre view of a photo, as an evaluation sees it."""
        return number, centre_view(load(path, self.recipe["resize_size"]), self.recipe["crop_size"])

    def __call__(self, photos: list[tuple[int, torch.Tensor]]) -> list[dict[str, Any]]:
        """A COCO caption result for each of at most TEST_BATCH photos."""
        numbers, inputs = torch.tensor([number for number, _ in photos]), torch.stack([view for _, view in photos])
        inputs = inputs.to(next(self.model.parameters()).device)
        if self.encoder:
            inputs = self.encoder(fill_batch(inputs, feature_cache.BATCH))[: len(photos)].half()
        return self.model(inputs, image_ids=numbers, mode="predict")


def on_photos(folder: Path, paths: list[Path], out: Path | None = None) -> str:
    """Print a line `<photo>: <caption>` for each photo, and write COCO caption results to the file `out`.

    Args:
        folder: of a run.
        paths: photos and folders of photos.
        out: file to write; each entry has its `file_name` too.

    Returns:
        What was done, in a line.

    Raises:
        UserError: some files cannot be read (after all else is done), or the run did not keep its network.
    """
    photos, captioner = files(paths), Captioner(folder)
    found, speed = predict(photos, captioner.load, captioner, TEST_BATCH, captioner.recipe["precision"])
    for photo in found:
        print(f"{printable(str(photo.path))}: {printable(photo.result['caption'])}")
    if out:
        write_json(out, [{**photo.result, "file_name": str(photo.path)} for photo in found])
    return summary(found, speed, len(photos))
