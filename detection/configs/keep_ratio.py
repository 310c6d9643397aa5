"""VOC for detectors that take photos of any shape: scaled between two sides, in half of the cases flipped."""

_base_ = "voc0712.py"

resize = dict(type="Resize", keep_ratio=True)
flip = dict(type="RandomFlip", prob=0.5)
train_pipeline = [*_base_.load, resize, flip, _base_.pack]
test_pipeline = [_base_.load[0], resize, _base_.load[1], _base_.pack]
