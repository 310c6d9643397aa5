"""Fine-tuning in small: its record and evidence, what is trained, one transform for all that is measured, the same bits
after kills, and by two processes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import classification.dataset
from backbones.backbone import load_weights, metadata
from backbones.construct import build as construct
from classification.dataset import FinetuneImages, MeasuredImages
from classification.model import Finetuned, frozen
from classification.train import train
from tests.classification.recipes import FINETUNE, run
from tests.kills import survives
from tests.together import losses, trained
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json
from workflow.data import labelled
from workflow.registry import tasks
from workflow.reporting.statistics.bootstrap import resample
from workflow.reporting.statistics.per_image import read


def model(backbone, train="all", freeze_bn=False):
    about = metadata(backbone)
    prepare = {key: about[key] for key in ("channel_order", "mean", "std")}
    found = Finetuned(about["network"], 4, prepare, about["stride"], train, freeze_bn, regularizers={}, seed=0)
    found.load(backbone)
    return found


def test_a_fine_tuning_leaves_record_predictions_and_evidence(imagenet, backbone, tmp_path):
    one = run("finetune", FINETUNE, eval_interval=1)
    train(one, backbone, imagenet.check, tmp_path / "state", tmp_path / "out")
    record = read_json(tmp_path / "out/metrics.json")
    assert record["metrics"].keys() == {metric.name for metric in tasks()["finetune"].metrics}
    found = resample(read(tmp_path / "out/per_image.npz", tasks()["finetune"].resampling), 5)
    assert {name: each.point for name, each in found.items()} == pytest.approx(record["metrics"])
    assert [each["iteration"] for each in record["history"]["evaluations"]] == [6, 12], "36 images in batches of 6"
    assert record["best"]["top1_error"] <= record["metrics"]["top1_error"]
    assert record["protocol"]["images"] == "36 trained on, 4 held out (val)"
    assert len(read_json(tmp_path / "out/predictions.json")) == 12


def test_a_run_chooses_its_rate_by_the_held_out_images(imagenet, backbone, tmp_path):
    rates = [1e-4, 0.05]
    train(run("finetune", FINETUNE, lr=rates), backbone, imagenet.check, tmp_path / "state", tmp_path / "out")
    record = read_json(tmp_path / "out/metrics.json")
    tried, lr = record["chosen"]["held_out"], record["chosen"]["lr"]
    assert lr == min(rates, key=lambda each: (tried[f"{each:g}"], each))
    assert record["metrics"]["val_error"] == tried[f"{lr:g}"], "the held-out images are never trained on"
    assert record["protocol"]["lr"] == "best of 2 by val_error on held-out training images"


def test_parts_with_the_same_images_have_the_same_errors(imagenet, backbone, tmp_path, monkeypatch):
    """Test and held-out images go through one transform: the test set is made of the held-out images here."""
    check = DatasetInfo.read(imagenet.check)
    source = labelled.open_train(check)
    places = classification.dataset.split_of(check, FINETUNE, 0).val
    copy = labelled.FileImages(source.root, source.paths[places], np.asarray(source.targets)[places])
    monkeypatch.setattr(labelled, "open_test", lambda check: copy)
    measured = MeasuredImages(check, FINETUNE, 0)
    for place in range(4):
        assert torch.equal(measured[place]["images"], measured[4 + place]["images"])
    train(run("finetune", FINETUNE, epochs=1), backbone, imagenet.check, tmp_path / "state", tmp_path / "out")
    metrics = read_json(tmp_path / "out/metrics.json")["metrics"]
    assert metrics["top1_error"] == metrics["val_error"]


def test_every_training_image_that_is_not_held_out_is_measured_once(imagenet):
    check = DatasetInfo.read(imagenet.check)
    measured, trained = MeasuredImages(check, FINETUNE, 0), FinetuneImages(check, FINETUNE, {}, [0, 0, 0], 0)
    assert len(measured) == 12 + 4 + 36
    assert np.array_equal(measured.places[4:], trained.places)
    assert sorted(measured.places) == list(range(40))


def test_without_augmentation_training_and_test_see_the_same_pixels(imagenet):
    check, plain = DatasetInfo.read(imagenet.check), {"hflip_prob": 0.0, "vflip_prob": 0.0, "rotation_degrees": 0}
    measured, train = MeasuredImages(check, FINETUNE, 0), FinetuneImages(check, FINETUNE | plain, {}, [0, 0, 0], 0)
    assert all(torch.equal(train[n, 0]["images"], measured[16 + n]["images"]) for n in range(36))
    assert all(train[n, 0]["labels"] == measured[16 + n]["labels"] for n in range(36))
    flipped = FinetuneImages(check, FINETUNE | plain | {"vflip_prob": 1.0}, {}, [0, 0, 0], 0)
    assert torch.equal(flipped[3, 5]["images"], train[3, 0]["images"].flip(1))
    turned = FinetuneImages(check, FINETUNE | plain | {"rotation_degrees": 30}, {}, [0, 0, 0], 0)
    assert torch.equal(turned[3, 1]["images"], turned[3, 1]["images"]), "drawn from seed, epoch and index"
    assert not torch.equal(turned[3, 1]["images"], turned[3, 2]["images"])


@pytest.mark.parametrize(("part", "first"), [("head", "fc."), ("last_stage", "layer4."), ("all", "conv1.")])
@pytest.mark.parametrize("freeze_bn", [False, True])
def test_what_is_trained_moves_and_all_else_stays(imagenet, backbone, part, first, freeze_bn):
    """Weights, and the statistics of batch norm."""
    network = model(backbone, part, freeze_bn).train()
    before = {name: value.clone() for name, value in network.network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, weight_decay=0.1)
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    from mmengine.logging import MessageHub

    MessageHub.get_current_instance().update_info("iter", 0)
    MessageHub.get_current_instance().update_info("progress", 0.0)
    network(images, torch.tensor([0, 1, 2, 3]), torch.arange(4), mode="loss")["loss"].backward()
    optimizer.step()
    moved = {name for name, value in network.network.state_dict().items() if not torch.equal(value, before[name])}
    names = list(before)
    expected = set(names[next(n for n, name in enumerate(names) if name.startswith(first)) :])
    statistics = {name for name in names if "running" in name or "num_batches" in name}
    assert moved == expected - statistics if freeze_bn else moved == expected


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("resnet18", "layer4.0.conv1.weight"),
        ("vgg16_gap", "features.24.weight"),
        ("pyramidnet20_a8_basic", "layer3.0.bn1.weight"),
        ("timm/efficientnet_b0", "blocks.5.0.conv_pw.weight"),
        ("timm/convnext_tiny", "stages.3.downsample.0.weight"),
    ],
)
def test_a_last_stage_begins_behind_the_one_before_it(name, first):
    """Whatever module gives its map: of some networks that is its last norm or ReLU, which has no weight before it."""
    network = registry.network(name)
    with torch.device("meta"):
        module = construct(network, 4)
    fixed = {id(weight) for weight in frozen(module, network, "last_stage")}
    trained = [name for name, weight in module.named_parameters() if id(weight) not in fixed]
    assert trained[0] == first
    assert {f"{network.classifier}.weight", f"{network.classifier}.bias"} <= {*trained}


def test_it_starts_from_the_backbone_with_one_new_classifier_for_all_rows(imagenet, backbone):
    torch.manual_seed(3)
    one = model(backbone)
    weights, _ = load_weights(backbone)
    for name, value in one.network.state_dict().items():
        assert name.startswith("fc.") or torch.equal(value, weights[name]), name
    assert one.network.fc.weight.shape == (4, 512)


@pytest.mark.slow
def test_a_killed_fine_tuning_ends_with_the_same_bits(imagenet, backbone, tmp_path):
    one = run("finetune", FINETUNE, seed=1, fraction=0.5, batch_size=5, eval_interval=1)  # 16 images
    words = ["--run-spec", json.dumps(one.as_dict()), "--backbone", backbone, "--dataset-info", imagenet.check]
    kills = [["step", 2], ["after", "*/predictions.json", 2], ["before", "*/metrics.json", 1]]
    survives("classification", tmp_path, kills, [2, 5, 6], 5, *words)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(imagenet, backbone, tmp_path):
    """With frozen statistics: otherwise batch norm sees half a batch each."""
    one = run("finetune", FINETUNE, freeze_bn=True, lr=1e-3)
    train(one, backbone, imagenet.check, tmp_path / "alone/state", tmp_path / "alone/out")
    alone = read_json(tmp_path / "alone/out/metrics.json")
    two = trained("classification", replace(one), tmp_path, backbone=backbone, **{"dataset-info": imagenet.check})
    assert losses(two) == pytest.approx(losses(alone), rel=1e-4)
    assert two["metrics"] == pytest.approx(alone["metrics"], abs=9), "an image may be on an edge"
