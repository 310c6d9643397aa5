"""torchvision's ResNets (He et al., CVPR 2016): of basic blocks, and of bottlenecks. The stride of a bottleneck is in
torchvision's convolution of 3x3, in the authors' first one of 1x1."""

from workflow.contracts import Block, Network, Stage


def block(name: str, convolutions: int) -> Block:
    """A block of so many convolutions, each with a batch norm; torchvision's `bn2` or `bn3` ends the branch."""
    norms = [f"{name}.bn{number}" for number in range(1, convolutions + 1)]
    return Block(branch=norms[-1], outputs=(*norms, f"{name}.downsample"))


def stages(depths: tuple[int, ...], widths: tuple[int, ...], convolutions: int) -> tuple[Stage, ...]:
    """Stages of so many blocks, each with half the cells of the one before."""
    found = []
    for number, (depth, channels) in enumerate(zip(depths, widths, strict=True), start=1):
        blocks = tuple(block(f"layer{number}.{index}", convolutions) for index in range(depth))
        found.append(Stage(f"layer{number}", channels, 2 ** (number + 1), blocks))
    return tuple(found)


NETWORKS = (
    Network(
        name="resnet18",
        title="ResNet-18",
        constructor="backbones.resnet:resnet18",
        classifier="fc",
        stages=stages((2, 2, 2, 2), (64, 128, 256, 512), convolutions=2),
        mmdet={"depth": 18},
        libraries=("torchvision", "timm"),
    ),
    Network(
        name="resnet50",
        title="ResNet-50",
        constructor="backbones.resnet:resnet50",
        classifier="fc",
        stages=stages((3, 4, 6, 3), (256, 512, 1024, 2048), convolutions=3),
        strides=("3x3", "1x1"),
        mmdet={"depth": 50},
        libraries=("torchvision", "timm"),
    ),
)
