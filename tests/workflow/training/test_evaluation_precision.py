"""Training and evaluation multiply in the precision of the recipe, in this order: the hook leaves nothing behind."""

import pytest
import torch
from mmengine.registry import MODELS

from tests.workflow.training.test_engine import Line, run_of, task
from workflow.training.engine import fit

SEEN = []


@MODELS.register_module()
class Seen(Line):
    """Notes the type of what its layer gives."""

    def forward(self, x, y, mode="tensor"):
        SEEN.append((mode, self.layer(x).dtype))
        return super().forward(x, y, mode)


@pytest.mark.parametrize(("precision", "kind"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_both_compute_in_the_precision_of_the_recipe(tmp_path, precision, kind):
    run = run_of(precision=precision, iterations=3, eval_interval=2)
    SEEN.clear()
    fit(run, task(run) | {"model": {"type": "Seen"}}, 20, tmp_path)
    assert [mode for mode, _ in SEEN] == [*["loss"] * 2, *["predict"] * 5, "loss", *["predict"] * 5]
    assert {kind for _, kind in SEEN} == {kind}
    assert not torch.is_autocast_enabled("cpu")
