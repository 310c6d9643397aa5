"""A network of basic blocks goes the whole way: pretraining with the regularizers of the network, SSD300, Faster R-CNN
and NIC, whose encoder is frozen or learns."""

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from backbones.backbone import load_weights, metadata
from captioning import feature_cache, metric, vocabulary
from captioning.train import train as caption
from detection.train import train as detect
from pretrain.cam import activations, unfit
from pretrain.random_backbone import make as make_random
from pretrain.train import train as pretrain
from tests.captioning.conftest import RECIPE as NIC
from tests.captioning.conftest import NoMeteor
from tests.detection.conftest import make_run
from tests.pretrain.test_train import EVERYWHERE, RECIPE, run_of
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json
from workflow.planning.run_spec import RunSpec
from workflow.planning.runs import DRAWN
from workflow.training.shared_artifact import read_array

NAME = "resnet18"


@pytest.fixture(scope="module")
def published(imagenet, tmp_path_factory):
    """Pretrained for an epoch with a regularizer at each place, those of residual blocks and stages among them."""
    folder = tmp_path_factory.mktemp("pretrained")
    assert {"stochastic_depth", "dropblock", "feature_cutmix"} <= EVERYWHERE.keys()
    run = run_of(network=NAME, epochs=1, steps=[], warmup=0, regularizers=EVERYWHERE)
    pretrain(run, imagenet.check, folder / "state", folder / "out")
    return SimpleNamespace(folder=folder / "out", path=folder / "out/backbone.safetensors")


def test_file_record_and_card_name_it(published):
    assert metadata(published.path)["network"] == NAME
    assert read_json(published.folder / "config.json")["recipe"]["network"] == NAME
    weights = load_weights(published.path)[0]
    assert weights["layer4.1.bn2.weight"].shape == (512,)
    assert "layer4.1.bn3.weight" not in weights
    card = (published.folder / "README.md").read_text()
    assert "# baseline: a ResNet-18, pretrained" in card.splitlines()
    assert "torchvision.models.resnet18(num_classes=4)" in card
    assert 'timm.create_model("resnet18", num_classes=4)' in card


def test_it_has_class_activation_maps(published):
    assert unfit(published.folder, 4) == ""
    maps, probabilities = activations(published.folder, torch.zeros(2, 3, 64, 64, dtype=torch.uint8), [0, 3])
    assert (maps.shape, probabilities.shape) == ((2, 2, 2), (2, 4))


@pytest.mark.parametrize("task", ["ssd_voc", "faster_rcnn_voc"])
def test_it_is_a_detectors_backbone(task, published, voc, tmp_path):
    detect(make_run(task), published.path, voc.check, tmp_path / "state", tmp_path / "out")
    record = read_json(tmp_path / "out/metrics.json")
    assert len(record["history"]["points"]) > 0
    assert record["protocol"]["network"] == NAME


@pytest.mark.parametrize("finetune", [False, True])
def test_it_is_a_captioners_encoder(finetune, published, coco, tmp_path, monkeypatch):
    monkeypatch.setattr(metric, "meteor", lambda captions: contextlib.nullcontext(NoMeteor()))
    seeds = {"pretrain": 0, "transfer": 0}
    run = RunSpec("nic_coco", "baseline", seeds, NIC | {"epochs": 1, "finetune_encoder": finetune}, {}, 1, 0, 0)
    features, words = tmp_path / "features", tmp_path / "words"
    if not finetune:
        features.mkdir()
        feature_cache.make(run, published.path, coco.check, features)
        assert read_array(features, "train").shape == (12, 2, 512)
    words.mkdir()
    vocabulary.make(DatasetInfo.read(coco.check), run.recipe["min_word_count"], words)
    caption(run, published.path, features, words, coco.check, tmp_path / "state", tmp_path / "out")
    assert read_json(tmp_path / "out/metrics.json")["protocol"]["network"] == NAME


def test_it_is_a_random_backbone_whose_branches_have_the_variance_of_their_input(imagenet, tmp_path):
    recipe = {key: RECIPE[key] for key in DRAWN} | {"init": "random", "network": NAME}
    run = replace(run_of(), recipe=recipe)
    make_random(run, imagenet.check, tmp_path)
    weights = load_weights(tmp_path / "backbone.safetensors")[0]
    assert metadata(tmp_path / "backbone.safetensors")["network"] == NAME
    assert torch.equal(weights["layer3.1.bn2.weight"], torch.full((256,), 2**-0.5))
    assert torch.equal(weights["layer3.1.bn1.weight"], torch.ones(256))
