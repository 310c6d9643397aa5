"""A training step with each of the paper's nine regularizers, against the same step without: loading included for those
that act on an image. ResNet-50 at the paper's 224 px, in bf16 and channels_last, from drawn JPEGs of 400 px.

One network and one data set serve both sides, with and without the regularizer, on the same images and crops; loading
takes its turn with the network, so nothing of its cost hides behind it. Pairs are short and many: a difference of one
percent drowns in what else a machine does, unless both feel the same of it.
"""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.row import Measured, Row, in_turn

PAPER = Path(__file__).parents[2] / "config/paper.yaml"
IMAGE, INSIDE = ("autoaugment", "cutout"), ("dropblock", "feature_cutmix", "manifold_mixup", "stochastic_depth")
BATCHLEVEL = ("cutmix", "label_smoothing", "mixup")
BATCH, IMAGES, PAIRS = 8, 64, 45


def measure(name: str) -> Measured:
    """Images a second with the regularizer and without."""
    import cv2
    import torch
    import yaml

    torch.set_num_threads(2)
    cv2.setNumThreads(0)  # as the engine has it
    paper = yaml.safe_load(PAPER.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        regularizers = paper["backbones"][name]["regularizers"]
        step = stepping(paper["pretrain"], regularizers, Path(folder) / "set", name in IMAGE)
        return in_turn(lambda: step(True), lambda: step(False), BATCH, PAIRS)


def stepping(recipe: dict[str, Any], regularizers: dict[str, Any], folder: Path, load: bool) -> Callable[[bool], None]:
    """One step, with the regularizers (True) or without; the next one of either side is on the next images."""
    import torch
    from torch.utils.data import default_collate

    from backbones.regularizers import build
    from pretrain.dataset import TrainImages
    from pretrain.model import Classifier
    from workflow.data.class_folders import ClassFolders
    from workflow.data.synthetic.generate import make
    from workflow.training.cpu_convs import channels_last
    from workflow.training.hooks import PrecisionOptimWrapper

    make("imagenet", {"classes": 4, "train": IMAGES, "val": 4, "size": 400, "seed": 0}, folder)
    data = TrainImages(ClassFolders(f"{folder}/train"), {**recipe, "regularizers": regularizers}, 0)
    model = channels_last(Classifier("resnet50", 1000, regularizers=regularizers).train())
    rates = {key: recipe[key] for key in ("lr", "momentum", "nesterov", "weight_decay")}
    optimizer = PrecisionOptimWrapper("bf16", optimizer=torch.optim.SGD(model.parameters(), fused=True, **rates))
    at, turn = build(regularizers), {True: 0, False: 0}
    first = default_collate([data[i, 0] for i in range(BATCH)])

    def step(regularized: bool) -> None:
        data.regularizers = model.regularizers = at if regularized else []
        epoch, batch = divmod(turn[regularized], IMAGES // BATCH)
        samples = range(batch * BATCH, (batch + 1) * BATCH)
        images = default_collate([data[i, epoch] for i in samples]) if load else first
        train(model, optimizer, images, turn[regularized])
        turn[regularized] += 1

    return step


def train(model: Any, optimizer: Any, batch: dict[str, Any], iteration: int) -> None:
    """Forward, loss, backward, SGD, as the engine does it; at the end of the training, when DropBlock drops most."""
    from mmengine.logging import MessageHub

    hub = MessageHub.get_current_instance()
    hub.update_info("iter", iteration)
    hub.update_info("progress", 1.0)
    with optimizer.optim_context(model):
        loss = model(**batch, mode="loss")["loss"]
    optimizer.update_params(loss)


DROPBLOCK = "scaling and zeroing its 36 maps, forward and backward, takes 40 of 810 ms in the profile, and "
DROPBLOCK += "the batch norms of these steps 35 ms more"


def row(name: str) -> Row:
    """Its row."""
    bare = "the step without" + (", loading included" if name in IMAGE else ", on a batch in memory")
    target = 0.95 if name in INSIDE else 0.99
    why = DROPBLOCK if name == "dropblock" else ""
    work = functools.partial(measure, name)
    return Row(f"regularizer_{name}", f"step with {name}", bare, "images/s", target, work, why)


ROWS = [row(name) for name in sorted(IMAGE + BATCHLEVEL + INSIDE)]
