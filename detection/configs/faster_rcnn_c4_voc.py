"""Faster R-CNN C4 on PASCAL VOC.

Paper (CutMix, transfer table): mAP 75.6 without, 76.7 with CutMix.
Run: python -m detection train (see `snakemake -n -p`).
"""

_base_ = ["faster_rcnn_c4.py", "keep_ratio.py"]
