"""Score a backbone by the nearest class mean of its features."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from backbones.backbone import load_weights, network_of
from backbones.construct import encoder
from probe.auroc import auroc
from probe.features import Dots, load
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import write_json
from workflow.data.dots import samples
from workflow.planning.run_spec import RunSpec
from workflow.training import per_image
from workflow.training.cpu_convs import channels_last
from workflow.training.hooks import autocast
from workflow.training.precision import configure_torch
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context


def features(run: RunSpec, check: DatasetInfo, backbone: Path, part: str, expected: str | None = None) -> tuple:
    """Unit features (N, F) of the images of a split, and their labels (N,).

    Args:
        run: gives batch, precision, size, threads and workers.
        check: of the data.
        backbone: published backbone.
        part: `train` or `test`.
        expected: SHA-256 of the backbone.
    """
    configure_torch(run.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, prepare, outputs, labels = encoder(network_of(backbone)).eval(), load_weights(backbone)[1], [], []
    load(network, backbone, expected)
    channels_last(network.to(device))
    images = DataLoader(Dots(check.root, part, run.recipe["size"]), run.recipe["batch_size"], num_workers=run.workers)
    with torch.no_grad(), autocast(run.recipe["precision"]):
        for batch in images:
            outputs.append(network(prepare(batch["images"].to(device))).float().cpu())
            labels.append(batch["labels"])
    return functional.normalize(torch.cat(outputs)), torch.cat(labels)


def scores(run: RunSpec, check: DatasetInfo, backbone: Path, expected: str | None = None) -> tuple:
    """Cosine of each test image to the mean of each class, (N, C) float64, and the labels (N,)."""
    train, labels = features(run, check, backbone, "train", expected)
    test, truth = features(run, check, backbone, "test", expected)
    members = functional.one_hot(labels, len(check.classes)).float()
    means = functional.normalize(members.T @ train)
    return (test @ means.T).to(torch.float64).numpy(), truth.numpy()


def evaluate(run: RunSpec, backbone: Path, check_file: Path, state: Path, out: Path) -> None:
    """Publish predictions and evidence, and write the record last."""
    check = DatasetInfo.read(check_file)
    of = made_of(run, check, backbone)
    with run_context(state, out, of):
        score, label = scores(run, check, backbone, of["backbone"])
        images = [Path(path).name for path, _ in samples(check.root, "test")]
        predicted = score.argmax(axis=1)
        accuracy = 100.0 * (predicted == label)
        per_image.write(out / "per_image.npz", np.array(images), accuracy=accuracy, score=score, label=label)
        rows = zip(images, label.tolist(), predicted.tolist(), strict=True)
        write_json(out / "predictions.json", [{"image": i, "label": a, "predicted": b} for i, a, b in rows])
        every = np.ones((len(label), 1))
        metrics = {"accuracy": float(accuracy.mean()), "auroc": float(auroc(score, label, every)[0])}
        protocol = {"split": f"{check.counts['test']} test images, means of {check.counts['train']}"}
        write_record(out, run, None, of=of, metrics=metrics, protocol=protocol, check=check_file, backbone=backbone)
