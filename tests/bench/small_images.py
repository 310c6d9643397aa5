"""What loading costs where images are small and in memory: a step of CIFAR's ResNet-18 with crop, flip and CutMix of
its batch, against the same step on a batch that is there, on one core."""

import tempfile

from tests.bench.row import Measured, Row, in_turn

BATCH, BATCHES, PAIRS = 64, 10, 15
RECIPE = {
    "crop_size": 32, "crop_scale": [1.0, 1.0], "crop_padding": 4, "mean": [125.3, 123.0, 113.9], "color_jitter": 0.0,
    "pca_lighting": 0.0, "regularizers": {},
}  # fmt: skip


def measure() -> Measured:
    """Images a second of both."""
    import torch
    from torch.utils.data import default_collate

    from pretrain.dataset import TrainImages
    from pretrain.model import Classifier
    from tests.bench.regularizers import train
    from workflow.data import cifar10
    from workflow.data.synthetic.generate import make
    from workflow.training.cpu_convs import channels_last
    from workflow.training.hooks import PrecisionOptimWrapper

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        make("cifar10", {"classes": 10, "train": BATCHES * BATCH, "test": 1, "seed": 0}, f"{folder}/set")
        data = TrainImages(cifar10.open_part(f"{folder}/set", "train"), RECIPE, 0)
    mixing = {"cutmix": {"alpha": 1.0, "probability": 1.0}}
    model = channels_last(Classifier("resnet18_cifar", 10, regularizers=mixing).train())
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, fused=True)
    optimizer, cutmix, turn = PrecisionOptimWrapper("bf16", optimizer=sgd), model.regularizers, iter(range(10**6))

    def batch(number: int) -> dict[str, torch.Tensor]:
        epoch, start = divmod(number * BATCH, BATCHES * BATCH)
        return default_collate([data[index, epoch] for index in range(start, start + BATCH)])

    def step(loading: bool) -> None:
        model.regularizers, number = cutmix if loading else [], next(turn)
        train(model, optimizer, batch(number) if loading else first, number)

    first = batch(0)
    return in_turn(lambda: step(True), lambda: step(False), BATCH, PAIRS)


ROWS = [
    Row(
        name="cifar_step",
        what="step of ResNet-18 on CIFAR with crop, flip and CutMix of 64 images from memory, one core",
        reference="the step without, on a batch in memory",
        unit="images/s",
        target=0.97,
        measure=measure,
    )
]
