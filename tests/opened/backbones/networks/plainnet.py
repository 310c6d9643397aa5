"""A plain network in the manner of VGG, small: no residual blocks, and in no library."""

from workflow.contracts import Network, Stage

NETWORKS = (
    Network(
        name="plainnet",
        title="plain network",
        constructor="backbones.plainnet:plainnet",
        classifier="head",
        features=64,
        stages=(Stage("stage1", channels=16, stride=2, index=0), Stage("stage2", 32, 4, 1), Stage("stage3", 64, 8, 2)),
        pooled="NCHW",
    ),
)
