"""Faster R-CNN (Ren et al., NeurIPS 2015), C4: all stages but the last on the image, the last one on each RoI.

mmdet's C4 network on the published backbone, without a download.
"""

_base_ = "mmdet::_base_/models/faster-rcnn_r50-caffe-c4.py"

assigner = dict(type="BatchAssigner")
model = dict(
    data_preprocessor=dict(type="BatchPreprocessor"),
    backbone=dict(_delete_=True, type="NetworkBackbone"),
    rpn_head=dict(type="FloatRPNHead"),
    roi_head=dict(
        type="BatchRoIHead",
        shared_head=dict(_delete_=True, type="LastStage"),
        bbox_roi_extractor=dict(type="FloatRoIExtractor", roi_layer=dict(use_torchvision=True)),
        bbox_head=dict(type="FloatBBoxHead"),
    ),
    train_cfg=dict(rpn=dict(assigner=assigner), rcnn=dict(assigner=assigner)),
)
