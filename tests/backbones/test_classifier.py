"""A published backbone is evaluated as it was published, and its classes are found by their names."""

import pytest
import torch
from torchvision.models import resnet18

from backbones.backbone import IMAGENET, Preprocessing, save_backbone, set_stride
from backbones.classifier import imagenet_wnids, load_classifier
from workflow import registry
from workflow.core.errors import UserError

BGR = Preprocessing("BGR", IMAGENET.mean[::-1], (20.0, 30.0, 40.0))
NAMES = ["n01", "n02", "n03", "n04"]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return resnet18(num_classes=4).eval()


def publish(path, network, prepare=IMAGENET, name="resnet18", stride="3x3", **about):
    save_backbone(path, network.state_dict(), prepare, name, stride, **about)
    return path


@pytest.mark.parametrize("prepare", [IMAGENET, BGR])
def test_its_logits_are_those_of_its_preprocessing(network, prepare, tmp_path):
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    classifier = load_classifier(publish(tmp_path / "b.safetensors", network, prepare))
    with torch.no_grad():
        expected = network(prepare(images))
        torch.testing.assert_close(classifier(images), expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(classifier(images.float()), classifier(images)), "pixel units, as integers or as floats"
    assert not classifier.module.training
    assert {weight.dtype for weight in classifier.module.parameters()} == {torch.float32}


def test_gradients_reach_the_pixels_and_no_weight(network, tmp_path):
    classifier = load_classifier(publish(tmp_path / "b.safetensors", network))
    images = torch.full((1, 3, 32, 32), 128.0, requires_grad=True)
    classifier(images).sum().backward()
    assert images.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in classifier.module.parameters())


def test_its_stride_is_the_published_one(tmp_path):
    torch.manual_seed(0)
    from torchvision.models import resnet50

    network, images = resnet50(num_classes=4).eval(), torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    classifier = load_classifier(publish(tmp_path / "b.safetensors", network, name="resnet50", stride="1x1"))
    set_stride(network, "1x1", registry.network("resnet50"))
    with torch.no_grad():
        torch.testing.assert_close(classifier(images), network(IMAGENET(images)), rtol=1e-4, atol=1e-5)


def test_classes_are_found_by_name(network, tmp_path):
    classifier = load_classifier(publish(tmp_path / "b.safetensors", network, classes=NAMES))
    assert classifier.outputs(NAMES) == [0, 1, 2, 3]
    assert classifier.outputs(["n03", "n01"]) == [2, 0]
    with pytest.raises(UserError, match=r"b\.safetensors: its 4 classes lack a, b, c and 1 more"):
        classifier.outputs(["a", "b", "n01", "c", "d"])
    with pytest.raises(UserError, match="lack n99"):
        classifier.outputs(["n01", "n02", "n03", "n99"])  # as many, but others


def test_a_file_without_names_has_the_data_s_classes_or_imagenet_s(network, tmp_path):
    classifier = load_classifier(publish(tmp_path / "b.safetensors", network))
    assert classifier.outputs(["w", "x", "y", "z"]) == [0, 1, 2, 3]
    with pytest.raises(UserError, match="its fc has 4 outputs, which the file does not name; the data have 2 classes"):
        classifier.outputs(["n01", "n02"])
    large = load_classifier(publish(tmp_path / "large.safetensors", resnet18()))
    wnids = imagenet_wnids()
    assert (len(wnids), list(wnids)) == (1000, sorted(wnids))
    assert wnids[:2] == ("n01440764", "n01443537"), "tench, goldfish"
    assert large.outputs(["n01443537", "n01440764"]) == [1, 0]
    with pytest.raises(UserError, match="its 1000 classes lack n00000000"):
        large.outputs(["n00000000"])


def test_without_a_classifier_it_is_refused(network, tmp_path):
    weights = {key: value for key, value in network.state_dict().items() if not key.startswith("fc.")}
    save_backbone(tmp_path / "b.safetensors", weights, IMAGENET, "resnet18")
    with pytest.raises(UserError, match="it has no fc, so it classifies nothing"):
        load_classifier(tmp_path / "b.safetensors")
