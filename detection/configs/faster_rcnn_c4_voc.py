"""Faster R-CNN (Ren et al., NeurIPS 2015) on PASCAL VOC, ResNet-50 C4: layers 1 to 3 on the image, layer4 on each RoI.

mmdet's C4 network with two differences: torchvision's stride layout (stride in the 3x3 convolution, where the
published backbones have it) and no download. Paper (CutMix, transfer table): mAP 75.6 without, 76.7 with CutMix.
Run: python -m detection train (see `snakemake -n -p`).
"""

_base_ = ["mmdet::_base_/models/faster-rcnn_r50-caffe-c4.py", "voc0712.py"]

model = dict(
    backbone=dict(style="pytorch", init_cfg=None),
    rpn_head=dict(type="FloatRPNHead"),
    roi_head=dict(
        shared_head=dict(type="C4ResLayer", style="pytorch", init_cfg=None),
        bbox_roi_extractor=dict(type="FloatRoIExtractor", roi_layer=dict(use_torchvision=True)),
        bbox_head=dict(type="FloatBBoxHead"),
    ),
)

resize = dict(type="Resize", keep_ratio=True)
flip = dict(type="RandomFlip", prob=0.5)
train_pipeline = [*_base_.load, resize, flip, _base_.pack]
test_pipeline = [_base_.load[0], resize, _base_.load[1], _base_.pack]
