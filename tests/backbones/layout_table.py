"""What programs leave that train ResNet-50s, from given weights: each row is read in test_layouts and is a row of the
table in config/README.md (`python -m tests.backbones.layout_table` prints it)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Weights = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A kind of file by its `title`: `content(one, other)` has `one` at `place`, `other` at `second` where it has two
    sets, and of `rest` what is left over. `every`: of every network, and not of ResNets only."""

    title: str
    place: str
    content: Callable[[Weights, Weights], Any]
    rest: tuple[str, ...] = ()
    second: str = ""
    every: bool = False


def pre(weights: Weights, prefix: str) -> Weights:
    """All keys behind a prefix."""
    return {prefix + key: value for key, value in weights.items()}


def bare(weights: Weights) -> Weights:
    """Without the classifier."""
    return {key: value for key, value in weights.items() if not key.startswith("fc.")}


def frozen(weights: Weights) -> Weights:
    """With frozen batch norm, which counts no steps."""
    return {key: value for key, value in bare(weights).items() if not key.endswith("num_batches_tracked")}


def mlp(prefix: str) -> Weights:
    """A head of two layers."""
    import torch

    return {f"{prefix}0.weight": torch.rand(8, 2048), f"{prefix}0.bias": torch.rand(8),
            f"{prefix}2.weight": torch.rand(4, 8), f"{prefix}2.bias": torch.rand(4)}  # fmt: skip


def linear(prefix: str, features: int = 256) -> Weights:
    """A layer of something else."""
    import torch

    return {f"{prefix}.weight": torch.rand(3, features), f"{prefix}.bias": torch.rand(3)}


def mm(weights: Weights) -> Weights:
    """mmpretrain's names."""
    return {**pre(bare(weights), "backbone."), **{f"head.{key}": weights[key] for key in ("fc.weight", "fc.bias")}}


def sequential(weights: Weights, prefix: str) -> Weights:
    """nn.Sequential(*list(resnet.children())[:-2]), through torch."""
    from torch import nn
    from torchvision.models import resnet50

    network = resnet50(num_classes=len(weights["fc.bias"]))
    network.load_state_dict(weights)
    return pre(nn.Sequential(*list(network.children())[:-2]).state_dict(), prefix)


def replaced(weights: Weights, *pairs: tuple[str, str]) -> Weights:
    """Keys in which patterns are replaced."""
    out = {}
    for key, value in weights.items():
        for old, new in pairs:
            key = re.sub(old, new, key)
        out[key] = value
    return out


def detectron2(weights: Weights) -> Weights:
    """detectron2's names."""
    stages = [(rf"^layer{number}\.", f"res{number + 1}.") for number in range(1, 5)]
    norms = [
        (r"(^|\.)bn(\d)\.", r"\1conv\2.norm."),
        (r"downsample\.0", "shortcut"),
        (r"downsample\.1", "shortcut.norm"),
    ]
    return replaced(frozen(weights), *stages, *norms, (r"^conv1\.", "stem.conv1."))


def transformers(weights: Weights) -> Weights:
    """Names of Hugging Face's ResNet."""
    stem = [(r"^conv1\.", "embedder.embedder.convolution."), (r"^bn1\.", "embedder.embedder.normalization.")]
    stages = [(rf"^layer{number}\.", f"encoder.stages.{number - 1}.layers.") for number in range(1, 5)]
    parts = [pair for n in range(3) for pair in ((rf"\.conv{n + 1}\.", f".layer.{n}.convolution."),
                                                 (rf"\.bn{n + 1}\.", f".layer.{n}.normalization."))]  # fmt: skip
    shortcut = [(r"downsample\.0", "shortcut.convolution"), (r"downsample\.1", "shortcut.normalization")]
    head = [(r"^fc\.", "classifier.1."), (r"^e", "resnet.e")]
    return replaced(weights, *stem, *stages, *parts, *shortcut, *head)


def faster_rcnn(weights: Weights, other: Weights) -> Weights:
    """torchvision's own detector, with these weights in its backbone."""
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    detector = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3)
    detector.backbone.body.load_state_dict(frozen(weights), strict=False)
    return {"model": detector.state_dict(), "epoch": 3}


def fcn(weights: Weights, other: Weights) -> Weights:
    """torchvision's own segmentation network."""
    from torchvision.models.segmentation import fcn_resnet50

    network = fcn_resnet50(weights=None, weights_backbone=None, num_classes=3)
    network.backbone.load_state_dict(bare(weights))
    return {"model": network.state_dict(), "epoch": 3}


def tensor() -> Any:
    """Of no network."""
    import torch

    return torch.rand(4, 2)


def c4(weights: Weights) -> Weights:
    """A detectron2 detector whose last stage is in its head."""
    names = detectron2(weights)
    return {f"{'roi_heads.' if key.startswith('res5.') else 'backbone.'}{key}": value for key, value in names.items()}


TABLE = (
    Row("torchvision, timm; VICReg, DINO and others that publish the backbone", "/", lambda one, other: one,
        every=True),
    Row("timm's training script; others that keep `state_dict`", "state_dict",
        lambda one, other: {"state_dict": one, "optimizer": {0: {"momentum_buffer": tensor()}}, "version": 2},
        ("optimizer",), every=True),
    Row("`DataParallel`, PyTorch's ImageNet example, the CutMix reference code", "state_dict/module",
        lambda one, other: {"epoch": 9, "arch": "resnet50", "best_err1": 21.4, "state_dict": pre(one, "module.")},
        every=True),
    Row("torchvision's training script", "model", lambda one, other: {"model": one, "epoch": 9}, every=True),
    Row("`torch.compile`", "_orig_mod", lambda one, other: pre(one, "_orig_mod."), every=True),
    Row("PyTorch's tutorials", "model_state_dict", lambda one, other:
        {"epoch": 5, "model_state_dict": one, "optimizer_state_dict": {}, "loss": tensor().sum()}, ("loss",),
        every=True),
    Row("Lightning", "state_dict/model", lambda one, other:
        {"pytorch-lightning_version": "2.4.0", "state_dict": pre(one, "model."), "hyper_parameters": {"lr": 0.1}},
        every=True),
    Row("a timm model in transformers", "timm_model", lambda one, other: pre(one, "timm_model."), every=True),
    Row("mmpretrain", "state_dict/backbone", lambda one, other: {"meta": {}, "state_dict": mm(one)}),
    Row("transformers", "resnet", lambda one, other: transformers(one)),
    Row("a head of several layers in the place of `fc`", "/", lambda one, other:
        {**bare(one), **linear("fc.1", 2048)}, ("fc",)),
    Row("MoCo (query and key encoder)", "state_dict/module.encoder_q", lambda one, other:
        {"state_dict": {**pre(bare(one), "module.encoder_q."), **mlp("module.encoder_q.fc."),
         **pre(bare(other), "module.encoder_k."), "module.queue": tensor()}},
        ("state_dict/module.encoder_q.fc", "state_dict/module.encoder_k", "state_dict/module.queue"),
        "state_dict/module.encoder_k"),
    Row("MoCo v1, whose `fc` is a projection", "state_dict/module.encoder_q", lambda one, other:
        {"arch": "resnet50", "state_dict": {**pre(bare(one), "module.encoder_q."),
         **linear("module.encoder_q.fc", 2048), "module.queue": tensor(), "module.queue_ptr": tensor()[0, :1]}},
        ("state_dict/module.encoder_q.fc", "state_dict/module.queue", "state_dict/module.queue_ptr")),
    Row("InstDisc, PIRL and others with a memory bank, whose `fc` is a projection", "state_dict/module",
        lambda one, other:
        {"state_dict": {**pre(bare(one), "module."), **linear("module.fc", 2048)}, "lemniscate": {"memory": tensor()}},
        ("state_dict/module.fc", "lemniscate")),
    Row("BYOL (online and target encoder)", "online_encoder.net", lambda one, other:
        {**pre(one, "online_encoder.net."), **mlp("online_encoder.projector."), **pre(other, "target_encoder.net."),
         **mlp("online_predictor.")},
        ("online_encoder.net.fc", "online_encoder.projector", "target_encoder", "online_predictor"),
        "target_encoder.net"),
    Row("DINO (student and teacher)", "student/module.backbone", lambda one, other:
        {"student": {**pre(bare(one), "module.backbone."), **mlp("module.head.mlp.")},
         "teacher": {**pre(bare(other), "backbone."), **mlp("head.mlp.")}, "epoch": 9},
        ("student/module.head", "teacher"), "teacher/backbone"),
    Row("solo-learn", "state_dict/backbone", lambda one, other:
        {"state_dict": {**pre(bare(one), "backbone."), **mlp("projector."), **pre(bare(other), "momentum_backbone."),
         **linear("classifier", 2048)}},
        ("state_dict/projector", "state_dict/momentum_backbone", "state_dict/classifier"),
        "state_dict/momentum_backbone"),
    Row("SimSiam", "state_dict/module.encoder", lambda one, other:
        {"state_dict": {**pre(bare(one), "module.encoder."), **mlp("module.encoder.fc."), **mlp("module.predictor.")}},
        ("state_dict/module.encoder.fc", "state_dict/module.predictor")),
    Row("SwAV, DeepCluster", "module", lambda one, other:
        {**pre(bare(one), "module."), **mlp("module.projection_head."), "module.prototypes.weight": tensor()},
        ("module.projection_head", "module.prototypes")),
    Row("SimCLR", "state_dict/backbone", lambda one, other:
        {"arch": "resnet50", "state_dict": {**pre(bare(one), "backbone."), **mlp("backbone.fc.")}},
        ("state_dict/backbone.fc",)),
    Row("Barlow Twins, VICReg, with their heads", "model/module.backbone", lambda one, other:
        {"model": {**pre(bare(one), "module.backbone."), **mlp("module.projector.")}}, ("model/module.projector",)),
    Row("VISSL", "classy_state_dict/base_model/model/trunk/_feature_blocks", lambda one, other:
        {"classy_state_dict": {"base_model": {"model": {"trunk": pre(bare(one), "_feature_blocks."),
         "heads": mlp("0.clf.")}}}}, ("classy_state_dict/base_model/model/heads",)),
    Row("the robustness library (a network and its copy in the attacker)", "model/module.model", lambda one, other:
        {"model": {"module.normalizer.new_mean": tensor(), **pre(one, "module.model."),
         **pre({key: value.clone() for key, value in one.items()}, "module.attacker.model.")}, "epoch": 9},
        ("model/module.normalizer", "model/module.attacker")),
    Row("torchvision's detectors", "model/backbone.body", faster_rcnn,
        ("model/backbone.fpn", "model/rpn", "model/roi_heads")),
    Row("torchvision's segmentation networks", "model/backbone", fcn, ("model/classifier",)),
    Row("DETR", "model/backbone.0.body", lambda one, other:
        {"model": {**linear("transformer"), **pre(frozen(one), "backbone.0.body.")}}, ("model/transformer",)),
    Row("mmdetection", "state_dict/backbone", lambda one, other:
        {"meta": {}, "state_dict": {**pre(bare(one), "backbone."), **linear("neck.lateral"), **linear("rpn_head.cls")}},
        ("state_dict/neck", "state_dict/rpn_head")),
    Row("segmentation_models_pytorch", "encoder", lambda one, other:
        {**pre(bare(one), "encoder."), **linear("decoder.0")}, ("decoder",)),
    Row("segmentation networks with a `layer0`", "backbone", lambda one, other:
        {**replaced(pre(bare(one), "backbone."), (r"^backbone\.conv1\.", "backbone.layer0.0."),
         (r"^backbone\.bn1\.", "backbone.layer0.1.")), **linear("ppm")}, ("ppm",)),
    Row("detectron2 with FPN, saved by torch (`.pth`)", "model/backbone.bottom_up", lambda one, other:
        {"model": {**pre(detectron2(one), "backbone.bottom_up."), **linear("backbone.fpn_output2")}, "iteration": 9},
        ("model/backbone.fpn_output2",)),
    Row("detectron2 with C4, saved by torch (`.pth`)", "model/backbone", lambda one, other:
        {"model": {**c4(one), **linear("roi_heads.box_predictor.cls_score")}}, ("model/roi_heads.box_predictor",)),
    Row("captioners and others with `nn.Sequential` of the layers", "encoder.resnet", lambda one, other:
        {**sequential(one, "encoder.resnet."), **linear("encoder.embed"), **linear("decoder.linear")},
        ("encoder.embed", "decoder")),
)  # fmt: skip


def markdown() -> str:
    """The tables of the manual."""
    return f"{table('file of any network', True)}\n{table('file of a ResNet', False)}"


def table(title: str, every: bool) -> str:
    """The table of the files of every network, or of those that only ResNets have."""
    lines = [f"| {title} | where its weights are found |", "|:--|:--|"]
    for row in (row for row in TABLE if row.every == every):
        place = "at the top" if row.place == "/" else f"`{row.place}`"
        lines.append(f"| {row.title} | {place}{f' or `{row.second}`: declare which' if row.second else ''} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
