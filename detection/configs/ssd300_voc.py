"""SSD300 (Liu et al., ECCV 2016) on PASCAL VOC, with any network in the place of VGG16.

The maps of strides 8, 16 and 32 of a ResNet and three extra levels see 300 pixels as 38, 19, 10, 5, 3 and 1 cells,
SSD300's own grid.
Paper (CutMix, transfer table): mAP 76.7 without, 77.6 with CutMix.
Run: python -m detection train (see `snakemake -n -p`).
"""

_base_ = ["mmdet::_base_/models/ssd300.py", "voc0712.py"]

model = dict(
    type="FixedBatchDetector",
    batch_size=8,  # of test images: they have one size; others would be padded, and so differ
    data_preprocessor=dict(type="BatchPreprocessor"),
    backbone=dict(_delete_=True, type="NetworkBackbone"),
    neck=dict(
        type="SSDNeckWithL2Init",
        out_channels=(512, 256, 256),  # of the extra levels; those of the backbone come in by detection/build_config.py
        level_strides=(2, 2, 1),
        level_paddings=(1, 1, 0),
    ),
    bbox_head=dict(type="FloatSSDHead"),
    train_cfg=dict(assigner=dict(type="BatchAssigner")),
)

# In the order of the original, which swaps no channels (ssd.pytorch does, in half of the images). mmdet's own config
# swaps them too, and distorts last, and with it the filling.
distort = dict(type="PhotoMetricDistortion", swap_channels=False)
expand = dict(type="Expand")
crop = dict(type="SSDCrop")  # mmdet has MinIoURandomCrop: slower, and stricter than the authors
resize = dict(type="Resize", keep_ratio=False)
flip = dict(type="RandomFlip", prob=0.5)
train_pipeline = [*_base_.load, distort, expand, crop, resize, flip, _base_.pack]
test_pipeline = [_base_.load[0], resize, _base_.load[1], _base_.pack]
