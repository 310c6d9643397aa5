"""Faster R-CNN with a feature pyramid (Lin et al., CVPR 2017) on the maps of strides 4 to 32 of any network.

mmdet's R50-FPN network on the published backbone, without a download.
"""

_base_ = "mmdet::_base_/models/faster-rcnn_r50_fpn.py"

assigner = dict(type="BatchAssigner")
model = dict(
    data_preprocessor=dict(type="BatchPreprocessor"),
    backbone=dict(_delete_=True, type="NetworkBackbone"),
    rpn_head=dict(type="FloatRPNHead"),
    roi_head=dict(
        type="BatchRoIHead",
        bbox_roi_extractor=dict(type="FloatRoIExtractor", roi_layer=dict(use_torchvision=True)),
        bbox_head=dict(type="FloatShared2FCBBoxHead"),
    ),
    train_cfg=dict(rpn=dict(assigner=assigner), rcnn=dict(assigner=assigner)),
)
