"""torchvision's ResNets (He et al., CVPR 2016), of basic blocks and of bottlenecks; ResNeXt (Xie et al., CVPR 2017) and
Wide ResNet (Zagoruyko and Komodakis, BMVC 2016), whose bottlenecks are wider inside. The stride of a bottleneck is in
torchvision's convolution of 3x3, in the authors' first one of 1x1.

Forms for CIFAR have a stem of one 3x3 convolution without stride or pooling. `resnet18_cifar` and `resnet50_cifar` are
otherwise as on ImageNet: four stages, 64 to 512 wide, 11.2 and 23.7 million parameters with 100 classes.
`resnet110_bottleneck_cifar` has the three stages of He et al.'s networks for CIFAR, 16 to 64 wide, and 1.17 million:
in the CutMix paper it is called ResNet-110, as is that of basic blocks elsewhere, with 1.74 million."""

from workflow.contracts import Block, Network, Stage

WIDTHS = (64, 128, 256, 512)  # of the stages, where blocks are basic
CIFAR_WIDTHS = (16, 32, 64)
EXPANSION = 4  # times as many channels come out of a bottleneck's stage


def block(name: str, convolutions: int) -> Block:
    """A block of so many convolutions, each with a batch norm; torchvision's `bn2` or `bn3` ends the branch."""
    norms = [f"{name}.bn{number}" for number in range(1, convolutions + 1)]
    return Block(branches=(norms[-1],), ends=(norms[-1],), outputs=(*norms, f"{name}.downsample"))


def stages(
    depths: tuple[int, ...], bottlenecks: bool, widths: tuple[int, ...] = WIDTHS, first_stride: int = 4
) -> tuple[Stage, ...]:
    """Stages of so many blocks, each with half the cells of the one before."""
    found = []
    for number, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
        blocks = tuple(block(f"layer{number}.{index}", 3 if bottlenecks else 2) for index in range(depth))
        channels = width * EXPANSION if bottlenecks else width
        convolutions = ("conv1", "conv2", "downsample.0") if bottlenecks else ("conv1", "downsample.0")
        strided = tuple(f"layer{number}.0.{each}" for each in convolutions) if number > 1 else ()
        found.append(Stage(f"layer{number}", channels, first_stride * 2 ** (number - 1), number, blocks, strided))
    return tuple(found)


def resnet(name: str, title: str, depths: tuple[int, ...], bottlenecks: bool = True) -> Network:
    """One of them."""
    found = stages(depths, bottlenecks)
    return Network(
        name=name,
        title=title,
        constructor="backbones.resnet:resnet",
        classifier="fc",
        features=found[-1].channels,
        stages=found,
        pooled="NCHW",
        strides=("3x3", "1x1") if bottlenecks else ("3x3",),
        libraries=("torchvision", "timm"),
    )


def cifar(name: str, title: str, depths: tuple[int, ...], bottlenecks: bool, widths: tuple[int, ...]) -> Network:
    """One for CIFAR."""
    found = stages(depths, bottlenecks, widths, first_stride=1)
    return Network(
        name=name,
        title=title,
        constructor="backbones.resnet:cifar_resnet",
        classifier="fc",
        features=found[-1].channels,
        stages=found,
        input_size=32,
        pooled="NCHW",
    )


NETWORKS = (
    resnet("resnet18", "ResNet-18", (2, 2, 2, 2), bottlenecks=False),
    resnet("resnet34", "ResNet-34", (3, 4, 6, 3), bottlenecks=False),
    resnet("resnet50", "ResNet-50", (3, 4, 6, 3)),
    resnet("resnet101", "ResNet-101", (3, 4, 23, 3)),
    resnet("resnet152", "ResNet-152", (3, 8, 36, 3)),
    resnet("resnext101_32x8d", "ResNeXt-101 32×8d", (3, 4, 23, 3)),
    resnet("wide_resnet50_2", "Wide ResNet-50-2", (3, 4, 6, 3)),
    cifar("resnet18_cifar", "ResNet-18 for CIFAR", (2, 2, 2, 2), False, WIDTHS),
    cifar("resnet50_cifar", "ResNet-50 for CIFAR", (3, 4, 6, 3), True, WIDTHS),
    cifar("resnet110_bottleneck_cifar", "ResNet-110 of bottlenecks for CIFAR", (12, 12, 12), True, CIFAR_WIDTHS),
)
