"""The registry, and what holds for every regularizer."""

import pytest
import torch

from pretrain.regularizers import REGULARIZERS, build
from pretrain.regularizers.base import Regularizer, register
from workflow.training.rng import rng

PARAMETERS = {
    "mixup": {"alpha": 1.0, "probability": 1.0},
    "cutout": {"size": 4, "probability": 1.0},
    "cutmix": {"alpha": 1.0, "probability": 1.0},
}
IMAGES = torch.rand(6, 3, 10, 10, generator=torch.Generator().manual_seed(1))


def test_every_regularizer_is_tested_here():
    assert REGULARIZERS.keys() == PARAMETERS.keys()


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="mixup is registered twice"):
        register("mixup")(type("Other", (Regularizer,), {}))


def test_they_are_built_in_the_configs_order():
    names = [r.name for r in build({"cutmix": PARAMETERS["cutmix"], "cutout": PARAMETERS["cutout"]})]
    assert names == ["cutmix", "cutout"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_same_keys_give_the_same_draw(name):
    def apply(*keys):
        regularizer = build({name: PARAMETERS[name]})[0]
        image = regularizer.image((IMAGES[0] * 255).to(torch.uint8), rng(*keys))
        batch, targets = regularizer.batch(IMAGES, torch.eye(6), rng(*keys))
        return torch.cat([image.flatten().float(), batch.flatten(), targets.flatten()])

    assert torch.equal(apply(0, name, 7), apply(0, name, 7))
    assert not torch.equal(apply(0, name, 7), apply(0, name, 8))
    assert not torch.equal(apply(0, name, 7), apply(1, name, 7))
