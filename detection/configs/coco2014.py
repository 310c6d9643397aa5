"""COCO 2014 in the place of VOC: trained on train2014, tested on val2014.

Crowds are no positives in training, and their place counts as background there, as in mmdetection's own configs
(`ignore_iof_thr=-1` in every assigner); pycocotools leaves out what is found in one.
"""

_base_ = "keep_ratio.py"

train2014 = dict(
    type="QuietCocoDataset",
    ann_file="annotations/instances_train2014.json",
    data_prefix=dict(img="train2014/"),
    filter_cfg=dict(filter_empty_gt=True),
)
val2014 = dict(
    type="QuietCocoDataset",
    ann_file="annotations/instances_val2014.json",
    data_prefix=dict(img="val2014/"),
    test_mode=True,
)

train_dataloader = dict(dataset=dict(dataset=dict(_delete_=True, **train2014)))
val_dataloader = dict(dataset=dict(_delete_=True, **val2014))
val_evaluator = dict(type="COCOMetric")
