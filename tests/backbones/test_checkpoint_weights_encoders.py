"""Files of self-supervised encoders: a projection in the place of the classifier is none."""

import pytest
import torch

from tests.backbones.layouts import module
from tests.backbones.test_checkpoint_weights import equal, read

PROJECTING = {
    "a query encoder": lambda raw: {"state_dict": module(raw, "module.encoder_q.")},
    "a queue next to it": lambda raw: {"model": {**module(raw, "net."), "queue": torch.rand(4, 2)}},
    "a memory bank": lambda raw: {"model": raw, "contrast": {"memory_1": torch.rand(4, 2)}},
    "a predictor": lambda raw: {**module(raw, "encoder."), "predictor.0.weight": torch.rand(2, 2)},
    "an online network": lambda raw: module(raw, "online_network."),
}


@pytest.mark.parametrize("kind", PROJECTING)
def test_the_fc_of_a_self_supervised_encoder_is_no_classifier(kind, raw, tmp_path):
    torch.save(PROJECTING[kind](raw), tmp_path / "a.pth")
    file, weights = read(tmp_path)
    assert not any(key.startswith("fc.") for key in weights)
    assert any(rest.endswith("fc") for rest in file.left_over), "it is named"


SUPERVISED = {
    "a detector's box predictor": lambda raw: {"backbone": raw, "box_predictor.cls_score.weight": torch.rand(2, 2)},
    "options with such names": lambda raw: {"model": raw, "hyper_parameters": {"queue": 3, "projector": "mlp"}},
    "an optimizer with such names": lambda raw: {"model": raw, "optimizer": {"projector": torch.rand(2)}},
    "an average": lambda raw: {"ema_model": raw},
}


@pytest.mark.parametrize("kind", SUPERVISED)
def test_the_fc_of_others_is_one(kind, raw, tmp_path):
    torch.save(SUPERVISED[kind](raw), tmp_path / "a.pth")
    assert equal(read(tmp_path)[1], raw)
