"""PASCAL VOC as both detectors read it: trained on 07+12 trainval, tested on 07 test.

Difficult objects are marked as ignored by the reader. The recipe says what they are in training; the metric neither
rewards nor punishes a detection of one. Root, classes, batch and seed come in by detection/build_config.py.
"""

image = dict(type="DecodeImage")  # as the check and all other tasks read it; mmcv's own refuses and reads other files
load = [image, dict(type="LoadAnnotations", with_bbox=True)]
pack = dict(type="PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor"))
voc = dict(type="ListedVOCDataset", filter_cfg=dict(filter_empty_gt=True))
voc07, voc12 = dict(voc, split="trainval07"), dict(voc, split="trainval12")
test07 = dict(type="ListedVOCDataset", split="test07", test_mode=True)
trainval0712 = dict(type="ConcatDataset", datasets=[voc07, voc12])

train_dataloader = dict(
    dataset=dict(type="SeededDataset", dataset=trainval0712),
    sampler=dict(type="ResumableSampler"),
    collate_fn=dict(type="pseudo_collate"),
)
val_dataloader = dict(
    dataset=test07,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="pseudo_collate"),
)
val_evaluator = dict(type="VOC07Metric")
optim_wrapper = dict(optimizer=dict(type="SGD", fused=True))
default_scope = "mmdet"
