"""The card says what the backbone is, and its example, executed, gives the project's own network."""

import contextlib
import re
from dataclasses import replace

import pytest
import torch
from torchvision.models import resnet50

from backbones.backbone import IMAGENET, load_backbone, metadata, save_backbone
from backbones.model_card import code, escaped, write_card
from pretrain.random_backbone import make
from pretrain.train import train
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json, sha256
from workflow.planning.run_spec import RunSpec
from workflow.planning.runs import DRAWN
from workflow.training.record import made_of

RECIPE = {
    "epochs": 1, "batch_size": 20, "lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4,
    "warmup_iters": 0, "milestones": [], "precision": "fp32", "crop_size": 32, "val_resize_size": 36,
    "crop_padding": 0, "mean": IMAGENET.mean, "std": IMAGENET.std,
    "crop_scale": [0.4, 1.0], "color_jitter": 0.0, "pca_lighting": 0.0, "zero_init_residual": True, "eval_interval": 1,
    "network": "resnet50",
    "regularizers": {"cutmix": {"alpha": 1.0, "probability": 0.5}},
}  # fmt: skip
IMPORTED = {"sha256": "5" * 64, "preprocessing": "imagenet", "stride": "1x1", "checkpoint_key": None}
FOUND = {
    **{"file": "a|b`c\n# <i>.pth", "sha256": "5" * 64, "layout": "state dict", "weights": "ema"},
    **{"matched": 320, "left_over": ["x"]},
}


def run_of(recipe):
    return RunSpec("pretrain", "mine", {"pretrain": 3}, recipe, {}, threads=1, workers=0, gpus=0)


def of(run, check):
    return made_of(run, DatasetInfo.read(check), None)


def examples(out):
    """The fenced examples of a card, executed beside the backbone: library to network."""
    blocks = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
    networks = {}
    for block in blocks:
        names = {}
        with contextlib.chdir(out):
            exec(block, names)
        networks["timm" if "timm" in block else "torchvision"] = names["network"].eval()
    assert networks.keys() == {"torchvision", "timm"}
    return networks


def own_network(out, classes):
    """The file in the network that this project loads it into."""
    network = resnet50(num_classes=classes or 1)
    network.fc = network.fc if classes else torch.nn.Identity()
    load_backbone(out / "backbone.safetensors", network)
    return network.eval()


def agree(out, classes):
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = own_network(out, classes)(x)
        for library, network in examples(out).items():
            torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4, msg=library)


def test_a_pretrained_backbones_card(imagenet, tmp_path):
    train(run_of(RECIPE), imagenet.check, tmp_path / "state", tmp_path / "out")
    text, record = (tmp_path / "out/README.md").read_text(), read_json(tmp_path / "out/metrics.json")
    check = DatasetInfo.read(imagenet.check)
    assert "\n---\n\n# mine: a ResNet-50, pretrained\n" in text
    assert "Pretrained for 1 epochs, pretraining seed 3; regularizers: `cutmix` (alpha 1.0, probability 0.5)." in text
    assert f"| `top1_error` | {record['metrics']['top1_error']:.2f} |" in text
    assert "On 12 validation images, resize 36, crop 32; epoch: last of 1." in text
    assert "| `regularizers` | cutmix alpha 1.0, probability 0.5 |" in text
    assert "| `crop_scale` | 0.4 1.0 |" in text
    assert f"4 classes, 40 training and 12 validation images, fingerprint `{check.fingerprint}`" in text
    assert all(f"`{name}`" in text for name in check.classes)
    for key in ("backbone", "recipe", "code"):
        assert f"| `SHA-256 of the {key}` | `{record['provenance'][key]}` |" in text
    assert f"| `torch` | {record['provenance']['libraries']['torch']} |" in text
    assert "Input: RGB pixels of 0 to 255, minus mean 123.675 116.28 103.53, divided by std 58.395" in text
    assert "Stride of a stage's first block: in its 3×3 convolution." in text
    agree(tmp_path / "out", 4)


def test_a_random_backbones_card(imagenet, tmp_path):
    make(
        run_of({"init": "random", **{key: RECIPE[key] for key in DRAWN}}),
        imagenet.check,
        tmp_path,
    )
    text = (tmp_path / "README.md").read_text()
    assert "\n---\n\n# mine: a ResNet-50, not trained\n" in text
    assert "pretraining seed 3: the negative control." in text
    assert "## Numbers\n\nNot scored.\n" in text
    assert "Not scored; planned with imagenet: 4 classes" in text
    agree(tmp_path, 4)


@pytest.mark.parametrize("classes", [0, 7])
@pytest.mark.parametrize("stride", ["3x3", "1x1"])
def test_an_imported_backbones_card(stride, classes, solved, imagenet, tmp_path):
    weights = {key: value for key, value in solved.weights.items() if not key.startswith("fc.")}
    weights |= {"fc.weight": torch.rand(classes, 2048), "fc.bias": torch.rand(classes)} if classes else {}
    save_backbone(tmp_path / "backbone.safetensors", weights, IMAGENET, "resnet50", stride, origin="imported")
    protocol = {"split": "not scored", "epoch": "imported"}
    write_card(
        tmp_path,
        run_of(IMPORTED),
        imagenet.check,
        of=of(run_of(IMPORTED), imagenet.check),
        metrics={},
        protocol=protocol,
        imported=FOUND,
    )
    text = (tmp_path / "README.md").read_text()
    assert (
        r"Imported from a\|b\`c \# \<i\>.pth: state dict, its averaged weights (EMA), 320 keys matched, 1 left" in text
    )
    assert f"SHA-256 `{FOUND['sha256']}`." in text
    assert f"in its {stride[0]}×{stride[0]} convolution" in text
    assert ("stride: 1x1" in text) == (stride == "1x1")
    agree(tmp_path, classes)


def test_what_others_have_named_is_only_text(solved, imagenet, tmp_path):
    names = ["a|b", "`c`", "<script>", "two\nlines", *(f"n{i}" for i in range(30))]
    replace(DatasetInfo.read(imagenet.check), classes=names).write(tmp_path / "check.json")
    save_backbone(tmp_path / "backbone.safetensors", solved.weights, IMAGENET, "resnet50", origin="random")
    run = run_of({"init": "random"})
    write_card(tmp_path, run, tmp_path / "check.json", of=of(run, tmp_path / "check.json"), metrics={},
               protocol={"split": "x", "epoch": "y"})  # fmt: skip
    text = (tmp_path / "README.md").read_text()
    assert r"Classes: a\|b, \`c\`, `<script>`, `two lines`, `n0`" in text
    assert "`n15`, and 14 more." in text
    assert metadata(tmp_path / "backbone.safetensors")["origin"] == "random"
    assert sha256(tmp_path / "backbone.safetensors") in text


def test_escapes():
    assert escaped("a_b *c* [d](e) <f> g|h\n#i") == r"a\_b \*c\* \[d\](e) \<f\> g\|h \#i"
    assert code("a b") == "`a b`"
    assert code("a`|b") == r"a\`\|b"
