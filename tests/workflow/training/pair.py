"""What two processes find, as test_processes.py starts them: `launch tests.workflow.training.pair --run-spec JSON …`.

The training is in small what the real ones are: batch norm, counted samples, 7 test images for two processes.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from torch import nn

import tests.workflow.training.test_engine  # noqa: F401 (registers Points)
from backbones.regularizers.base import per_rank_rng
from workflow.core.files import write_json
from workflow.core.rng import rng
from workflow.planning.run_spec import RunSpec
from workflow.training.distributed import processes
from workflow.training.engine import fit
from workflow.training.hooks import History
from workflow.training.resume import checkpointing

RECIPE = {"epochs": 3, "batch_size": 4, "warmup_iters": 3, "milestones": [2], "eval_interval": 2, "precision": "fp32"}
SAMPLES, KILLED = 20, 7  # an iteration inside the second epoch


@MODELS.register_module()
class Norm(BaseModel):
    """A line with batch norm on the way."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    def forward(self, x, y, image=None, mode="tensor"):
        out = self.layer(x).float()
        if mode == "loss":
            return {"loss": (out - y).square().mean()}
        return [{"image": i, "error": e} for i, e in zip(image.tolist(), (out - y).abs()[:, 0].tolist(), strict=True)]


@DATASETS.register_module()
class Seven:
    """Test images: no even share for two."""

    def __len__(self):
        return 7

    def __getitem__(self, index):
        return {"x": torch.arange(3) + 0.1 * index, "y": torch.ones(1), "image": index}


@METRICS.register_module()
class Seen(BaseMetric):
    """Which images were scored, and their mean error."""

    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        return {"images": [one["image"] for one in results], "error": float(np.mean([one["error"] for one in results]))}


class Killed(BaseException):
    """The process ends here."""


def train(run: RunSpec, folder: Path) -> dict:
    """To its end: curve, evaluations and weights."""
    loading = {"num_workers": 0, "collate_fn": {"type": "default_collate"}}
    counted = {"type": "SeededDataset", "dataset": {"type": "Points"}, "seed": run.seed}
    sampler = {"type": "ResumableSampler", "batch": run.recipe["batch_size"], "seed": run.seed}
    test = {"dataset": {"type": "Seven"}, "sampler": {"type": "DefaultSampler", "shuffle": False}, "batch_size": 2}
    task = {
        "model": {"type": "Norm"},
        "train_dataloader": {"dataset": counted, "sampler": sampler, "batch_size": run.recipe["batch_size"], **loading},
        "val_dataloader": test | loading,
        "val_evaluator": {"type": "Seen", "collect_dir": str(folder / "parts")},
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.05, "momentum": 0.9}},
    }
    done = fit(run, task, SAMPLES, folder)
    weights = {name: value.flatten().tolist() for name, value in done.model.state_dict().items()}
    return {"points": done.points, "evaluations": done.evaluations, "weights": weights}


def train_and_die(run: RunSpec, folder: Path) -> None:
    """Until the iteration KILLED is over; a state lies there from its beginning."""
    checkpointing.SECONDS_BETWEEN_SAVES, after = 0, History.after_train_iter

    def die(self, runner, *args, **kwargs):
        after(self, runner, *args, **kwargs)
        if runner.iter == KILLED:
            raise Killed

    History.after_train_iter = die
    try:
        train(run, folder)
    except Killed:
        History.after_train_iter = after


def numbers() -> dict:
    """What the processes say of themselves: the same in both, but for `share`."""
    draws = [0.0, 0.0]
    draws[get_rank()] = per_rank_rng(rng(0, "x")).random()
    return {
        "mean": processes.reduce_mean(3 + 2 * get_rank()),
        "max": processes.reduce_mean(3 + 2 * get_rank(), "max"),
        "once": processes.broadcast_from_main(lambda: f"of process {get_rank()}"),
        "draws": [2 * processes.reduce_mean(draw) for draw in draws],
    }


def norms(first: int) -> float:
    """The largest difference of batch norm over two shares of a batch to that over the whole: outputs, gradients of
    input and weights, statistics. One share has the `first` images, the other the rest."""
    torch.manual_seed(0)
    whole, weigh = torch.randn(8, 3, 5, 5) * 3 + 7, torch.randn(8, 3, 5, 5)
    mine = slice(first, None) if get_rank() else slice(first)
    one = nn.BatchNorm2d(3)
    other = processes.share_statistics(nn.BatchNorm2d(3))
    inputs, part = whole.clone().requires_grad_(), whole[mine].clone().requires_grad_()
    for _ in range(2):
        (out := one(inputs)).mul(weigh).sum().backward()
        (half := other(part)).mul(weigh[mine]).sum().backward()
    pairs = [(out[mine], half), (inputs.grad[mine], part.grad), (one.running_mean, other.running_mean)]
    pairs += [(one.running_var, other.running_var), (one.num_batches_tracked, other.num_batches_tracked)]
    pairs += [(one.eval()(whole[mine]), other.eval()(whole[mine]))]
    gradients = [(a.grad.sum() / 2, b.grad.sum()) for a, b in zip(one.parameters(), other.parameters(), strict=True)]
    summed = max(abs(float(a) - processes.reduce_mean(float(b))) for a, b in gradients)
    return processes.reduce_mean(max(summed, *(float((a - b).detach().abs().max()) for a, b in pairs)), "max")


def apart(losses: Callable[[slice], list[torch.Tensor]], first: int) -> float:
    """The largest difference of the losses over two shares, averaged, to those over the whole; one share has the
    `first` ones, the other the rest."""
    mine = slice(first, None) if get_rank() else slice(first)
    pairs = zip(losses(slice(None)), losses(mine), strict=True)
    return max(abs(float(whole) - processes.reduce_mean(float(share))) for whole, share in pairs)


def heads() -> dict[str, float]:
    """`apart` of Faster R-CNN's heads: over 1 + 1 images with other numbers of anchors, and over 3 + 5 regions."""
    from mmdet.registry import MODELS as DETECTORS
    from mmengine.config import Config
    from mmengine.structures import InstanceData

    import detection.models

    cfg = Config.fromfile(Path(detection.__file__).parent / "configs/faster_rcnn_c4_voc.py").model
    rpn = DETECTORS.build({**cfg.rpn_head, "train_cfg": cfg.train_cfg.rpn, "test_cfg": cfg.test_cfg.rpn})
    roi = DETECTORS.build({**cfg.roi_head.bbox_head, "num_classes": 20})
    torch.manual_seed(0)
    boxes = [torch.tensor([[3.0, 3, 40, 40]]), torch.tensor([[10.0, 5, 60, 60], [30, 30, 62, 50]])]
    truth = [InstanceData(bboxes=each, labels=torch.zeros(len(each), dtype=torch.long)) for each in boxes]
    score, delta = torch.randn(2, rpn.num_base_priors, 4, 4), torch.randn(2, 4 * rpn.num_base_priors, 4, 4)
    metas = [{"img_shape": (64, 64), "pad_shape": (64, 64)}] * 2
    labels = torch.tensor([0, 2, 20, 1, 20, 20, 1, 20])  # 20: background
    regions = [torch.randn(8, 21), torch.randn(8, 80), torch.rand(8, 5), labels, torch.ones(8), torch.randn(8, 4)]
    regions.append((labels < 20).float()[:, None].expand(8, 4))

    def of_images(part: slice) -> list[torch.Tensor]:
        found = rpn.loss_by_feat([score[part]], [delta[part]], truth[part], metas[part])
        return [sum(found[name]) for name in ("loss_rpn_cls", "loss_rpn_bbox")]

    def of_regions(part: slice) -> list[torch.Tensor]:
        found = roi.loss(*(each[part] for each in regions))
        return [found[name] for name in ("loss_cls", "loss_bbox")]

    return {"images": apart(of_images, 1), "regions": apart(of_regions, 3)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-spec", required=True)
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()
    run = RunSpec.parse(args.run_spec)
    processes.init_process_group()
    found = {"numbers": numbers(), "norms": [norms(4), norms(2)], "heads": heads()}
    train_and_die(run, args.out / "state")
    found["training"] = train(run, args.out / "state")  # of two processes the second ends here
    write_json(args.out / "found.json", found)
    processes.cleanup()


if __name__ == "__main__":
    main()
