"""VGG-16 (Simonyan and Zisserman, ICLR 2015) as it is localized with: without its last pooling and its fully connected
layers; instead a convolution of 1,024 channels, global average pooling and a linear classifier (VGG-GAP; Zhou et al.,
CVPR 2016). Its convolutions are named as in torchvision."""

from workflow.contracts import Network, Stage

NETWORKS = (
    Network(
        name="vgg16_gap",
        title="VGG-16 with global average pooling",
        constructor="backbones.vgg:vgg16_gap",
        classifier="fc",
        features=1024,
        stages=(
            Stage("features.15", 256, 4, index=0),
            Stage("features.22", 512, 8, index=1),
            Stage("conv6", 1024, 16, index=2),
        ),
        pooled="NCHW",
        batch_norm=False,
    ),
)
