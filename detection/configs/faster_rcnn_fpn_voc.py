"""Faster R-CNN FPN on PASCAL VOC.

mmdetection (ResNet-50 of ImageNet, 12 epochs): mAP 80.4. Run: python -m detection train (see `snakemake -n -p`).
"""

_base_ = ["faster_rcnn_fpn.py", "keep_ratio.py"]
