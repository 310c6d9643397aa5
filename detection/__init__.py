"""Transfer to detection: SSD300 and Faster R-CNN C4 on a published backbone, by mmdetection.

Importing it puts stand-ins for what mmdet imports and a bare environment lacks in place, before any of mmdet.
"""

from detection.mmcv_stubs import install

install()
