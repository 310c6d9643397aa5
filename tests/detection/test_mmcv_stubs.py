"""The stand-ins: torchvision's nms and focal loss under mmcv's names, a clear error for all else, a compiled mmcv left
alone."""

import sys
from importlib.machinery import ModuleSpec

import pytest
import torch
from torch.nn import functional
from torchvision.ops import nms, sigmoid_focal_loss

from detection import mmcv_stubs

OPERATORS = sys.modules["mmcv._ext"]


def boxes(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    corner = torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) * 50
    side = 5 + torch.rand(count, 2, generator=torch.Generator().manual_seed(1)) * 40
    return torch.cat([corner, corner + side], dim=1), torch.rand(count, generator=torch.Generator().manual_seed(2))


def test_mmcv_nms_is_torchvisions():
    from mmcv.ops import nms as mmcv_nms

    where, score = boxes(200)
    kept, index = mmcv_nms(where, score, 0.5)
    assert index.tolist() == nms(where, score, 0.5).tolist()
    assert torch.equal(kept, torch.cat([where[index], score[index, None]], dim=1))


def test_threshold_and_limit_of_mmcvs_caller():
    from mmcv.ops import nms as mmcv_nms

    where, score = boxes(200)
    _, index = mmcv_nms(where, score, 0.5, score_threshold=0.4, max_num=7)
    sure = (score > 0.4).nonzero()[:, 0]
    assert index.tolist() == sure[nms(where[sure], score[sure], 0.5)][:7].tolist()


def test_offset_counts_the_last_pixel():
    # Widths 10 and 5: IoU 0.5 as they stand; counted with their last pixel 11 and 6: 0.545.
    where = torch.tensor([[0.0, 0, 10, 10], [0, 0, 5, 10]])
    score = torch.tensor([0.9, 0.8])
    assert OPERATORS.nms(where, score, iou_threshold=0.52, offset=0).tolist() == [0, 1]
    assert OPERATORS.nms(where, score, iou_threshold=0.52, offset=1).tolist() == [0]


def test_bf16_boxes_are_served():
    where, score = boxes(20)
    assert OPERATORS.nms(where.bfloat16(), score.bfloat16(), 0.5, 0).dtype == torch.int64


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_the_compiled_focal_loss_is_torchvisions(reduction):
    """mmcv's own function around the operator, as mmdet calls it on a GPU."""
    from mmcv.ops import sigmoid_focal_loss as compiled_loss

    generator = torch.Generator().manual_seed(0)
    scores = (3 * torch.randn(50, 4, generator=generator)).requires_grad_()
    classes = torch.randint(0, 5, (50,), generator=generator)  # 4 is background
    positive = functional.one_hot(classes, 5)[:, :4].float()
    expected = sigmoid_focal_loss(scores, positive, alpha=0.3, gamma=1.5)
    expected = {"none": expected, "mean": expected.sum() / 50, "sum": expected.sum()}[reduction]
    found = compiled_loss(scores, classes, 1.5, 0.3, None, reduction)
    torch.testing.assert_close(found, expected)
    slopes = [torch.autograd.grad(loss.sum(), scores)[0] for loss in (found, expected)]
    torch.testing.assert_close(*slopes)
    with pytest.raises(NotImplementedError, match="weights of classes needs a compiled mmcv"):
        compiled_loss(scores, classes, 1.5, 0.3, torch.ones(4), reduction)


def test_other_operators_raise_when_called():
    with pytest.raises(NotImplementedError, match=r"'softnms' needs mmcv\._ext, which is not installed"):
        OPERATORS.softnms(torch.zeros(1, 4))
    from imgaug import augmenters

    with pytest.raises(NotImplementedError, match=r"'Fliplr' needs imgaug\.augmenters, which is not installed"):
        augmenters.Fliplr()


def test_a_compiled_mmcv_is_left_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, "mmcv._ext")
    monkeypatch.setattr(mmcv_stubs, "compiled", lambda: ModuleSpec("mmcv._ext", None))
    mmcv_stubs.install()
    assert "mmcv._ext" not in sys.modules


def test_the_absent_extension_is_seen_as_absent():
    assert mmcv_stubs.compiled() is None or isinstance(mmcv_stubs.compiled(), ModuleSpec)
