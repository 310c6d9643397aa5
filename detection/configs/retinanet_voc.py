"""RetinaNet (Lin et al., ICCV 2017) on PASCAL VOC, on the maps of strides 8 to 32 of any network.

mmdet's R50-FPN network on the published backbone, without a download; its pyramid starts at stride 8.
Run: python -m detection train (see `snakemake -n -p`).
"""

_base_ = ["mmdet::_base_/models/retinanet_r50_fpn.py", "keep_ratio.py"]

model = dict(
    data_preprocessor=dict(type="BatchPreprocessor"),
    backbone=dict(_delete_=True, type="NetworkBackbone"),
    neck=dict(start_level=0),  # the map of stride 4, which mmdet's pyramid skips, is not asked of the network
    bbox_head=dict(type="FloatRetinaHead"),
    train_cfg=dict(assigner=dict(type="BatchAssigner")),
)
