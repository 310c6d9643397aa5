"""What the columns of the transfer table are: tasks, their metrics, and how a number is printed."""

METRICS: dict[str, tuple[str, ...]] = {
    "pretrain": ("top1_error", "top5_error"),
    "ssd_voc": ("mAP", "mAP_area"),
    "faster_rcnn_voc": ("mAP", "mAP_area"),
    "faster_rcnn_coco": ("AP", "AP50", "AP75"),
    "nic_coco": ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE_L", "CIDEr"),
}
LONG_TABLE_ONLY = {"BLEU-2", "BLEU-3"}  # as in the paper's own transfer table; transfer.csv has them
IMAGENET_TABLE_ONLY = {"top5_error"}  # likewise
TITLES = {
    "pretrain": "classification",
    "ssd_voc": "SSD, detection",
    "faster_rcnn_voc": "Faster R-CNN, detection",
    "faster_rcnn_coco": "Faster R-CNN on COCO, detection",
    "nic_coco": "NIC, captioning",
}


def lower_is_better(metric: str) -> bool:
    """Errors fall, scores rise."""
    return metric.endswith("_error")


def number(metric: str, value: float, sign: bool = False) -> str:
    """A value in percent with the digits that the paper prints: two for errors, one for scores."""
    digits = 2 if metric.endswith("_error") else 1
    return f"{value:+z.{digits}f}" if sign else f"{value:z.{digits}f}"
