"""Faster R-CNN C4 on COCO 2014: the network of VOC.

Paper (CutMix, poster): AP 33.3 without, 35.2 with CutMix; it gives no recipe.
Run: python -m detection train (see `snakemake -n -p`).
"""

_base_ = ["faster_rcnn_c4.py", "coco2014.py"]
