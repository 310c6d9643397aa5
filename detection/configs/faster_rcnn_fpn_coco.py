"""Faster R-CNN FPN on COCO 2014.

Run: python -m detection train (see `snakemake -n -p`).
"""

_base_ = ["faster_rcnn_fpn.py", "coco2014.py"]
