"""The engine on a network small enough to be killed at every iteration."""

import time
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS, OPTIMIZERS

from tests.killed import Killed, killed_after
from workflow.planning.run_spec import RunSpec
from workflow.planning.schedule import Schedule
from workflow.training.cpu_convs import channels_last
from workflow.training.engine import fit, schedule
from workflow.training.resume import checkpointing as saving


@MODELS.register_module()
class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))

    def forward(self, x, y, mode="tensor"):
        out = self.layer(x).float()
        return {"loss": (out - y).square().mean()} if mode == "loss" else [{"error": (out - y).abs().mean()}]


@DATASETS.register_module()
class Points:
    def __init__(self, broken=None):
        self.broken = broken  # an index

    def __len__(self):
        return 20

    def __getitem__(self, index):
        x = torch.randn(3)
        return {"x": x, "y": torch.full((1,), torch.nan) if index == self.broken else x[:1] + 0.01 * index}

    def get_data_info(self, index):
        return {"img_path": f"photo{index}.jpg"}


@METRICS.register_module()
class MeanError(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(data_samples[0]["error"].item())

    def compute_metrics(self, results):
        return {"error": sum(results) / len(results)}


class Fixed(Points):
    def __getitem__(self, index):
        return {"x": torch.arange(3) + 0.1 * index, "y": torch.ones(1)}


DATASETS.register_module(module=Fixed)
RECIPE = {
    "iterations": 12,
    "batch_size": 4,
    "warmup_iters": 3,
    "milestones": [8],
    "eval_interval": 5,
    "precision": "fp32",
}


def run_of(**changes):
    return RunSpec(
        "ssd_voc", "cutmix", {"pretrain": 0, "transfer": 1}, {**RECIPE, **changes}, {}, threads=1, workers=0, gpus=0
    )


def task(run, broken=None):
    collate = {"type": "default_collate"}
    counted = {"type": "SeededDataset", "dataset": {"type": "Points", "broken": broken}, "seed": run.seed}
    return {
        "model": {"type": "Line"},
        "train_dataloader": {
            "dataset": counted,
            "sampler": {"type": "ResumableSampler", "batch": 4, "seed": run.seed},
            "batch_size": 4,
            "num_workers": run.workers,
            "collate_fn": collate,
        },
        "val_dataloader": {"dataset": {"type": "Fixed"}, "sampler": {"type": "DefaultSampler", "shuffle": False},
                           "batch_size": 4, "num_workers": 0, "collate_fn": collate},
        "val_evaluator": {"type": "MeanError"},
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.02, "momentum": 0.9}},
    }  # fmt: skip


def outcome(done):
    return [*(value.clone() for value in done.model.state_dict().values())], done.points, done.evaluations


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    run = run_of()
    return outcome(fit(run, task(run), 20, tmp_path_factory.mktemp("whole")))


def die_after(iterations, run, folder, work=task):
    with killed_after(iterations, seconds_between_saves=None):
        fit(run, work(run), 20, folder)


@pytest.mark.parametrize("moment", [1, 5, 6, 9, 12])
def test_killed_and_started_again_ends_with_the_same_bits(moment, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "SECONDS_BETWEEN_SAVES", 0)
    saves = []
    save = saving.ResumeCheckpointHook.save

    def save_or_die(self, runner):
        if runner.iter == moment and not saves:
            saves.append(runner.iter)
            raise Killed
        save(self, runner)

    monkeypatch.setattr(saving.ResumeCheckpointHook, "save", save_or_die)
    run = run_of()
    with pytest.raises(Killed):
        fit(run, task(run), 20, tmp_path)
    tensors, points, evaluations = outcome(fit(run, task(run), 20, tmp_path))
    assert all(torch.equal(a, b) for a, b in zip(tensors, undisturbed[0], strict=True))
    assert points == undisturbed[1]
    assert evaluations == undisturbed[2]


def test_a_resumed_run_loads_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "SECONDS_BETWEEN_SAVES", 0)
    loaded = []
    monkeypatch.setattr(
        Points, "__getitem__", lambda self, i: loaded.append(i) or {"x": torch.ones(3), "y": torch.ones(1)}
    )
    monkeypatch.setattr(Fixed, "__getitem__", lambda self, i: {"x": torch.ones(3), "y": torch.ones(1)})
    run = run_of()
    die_after(7, run, tmp_path)
    loaded.clear()
    fit(run, task(run), 20, tmp_path)
    assert len(loaded) == (12 - 7) * 4


def test_waiting_for_data_is_measured_and_kept_across_kills(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "SECONDS_BETWEEN_SAVES", 0)
    quick, run = Points.__getitem__, run_of(iterations=3)
    assert 0 < fit(run, task(run), 20, tmp_path / "quick/state").data_wait < 1
    monkeypatch.setattr(Points, "__getitem__", lambda self, i: time.sleep(0.1) or quick(self, i))
    die_after(1, run, tmp_path)  # with a batch in hand, which is loaded again
    done = fit(run, task(run), 20, tmp_path)
    assert 3 * 4 * 0.1 <= done.data_wait * done.seconds <= done.seconds


def test_workers_do_not_change_the_bits(undisturbed, tmp_path):
    run = RunSpec("ssd_voc", "cutmix", {"pretrain": 0, "transfer": 1}, RECIPE, {}, threads=1, workers=1, gpus=0)
    tensors, points, evaluations = outcome(fit(run, task(run), 20, tmp_path))
    assert all(torch.equal(a, b) for a, b in zip(tensors, undisturbed[0], strict=True))
    assert (points, evaluations) == undisturbed[1:]


@pytest.mark.parametrize(
    "change", [{"precision": "bf16"}, {"warmup_iters": 0}, {"milestones": [2]}, {"iterations": 11}]
)
def test_each_switch_of_the_engine_changes_the_result(change, undisturbed, tmp_path):
    run = run_of(**change)
    tensors = outcome(fit(run, task(run), 20, tmp_path))[0]
    assert not all(torch.equal(a, b) for a, b in zip(tensors, undisturbed[0], strict=True))


def test_another_seed_is_another_run_and_threads_are_the_run_s(undisturbed, tmp_path):
    cv2.setNumThreads(4)
    run = RunSpec("ssd_voc", "cutmix", {"pretrain": 0, "transfer": 2}, RECIPE, {}, threads=2, workers=0, gpus=0)
    tensors = outcome(fit(run, task(run), 20, tmp_path))[0]
    assert not all(torch.equal(a, b) for a, b in zip(tensors, undisturbed[0], strict=True))
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 1)
    torch.set_num_threads(1)


def test_evaluations_come_at_their_interval_and_the_last_one_counts(undisturbed):
    assert [e["iteration"] for e in undisturbed[2]] == [5, 10, 12]
    assert [p["iteration"] for p in undisturbed[1]] == list(range(1, 13))
    assert undisturbed[1][-1]["lr"] == pytest.approx(0.002)


def test_budget_in_epochs_counts_whole_batches():
    budget = Schedule.of({"epochs": 3, "batch_size": 4, "eval_interval": 1, "milestones": [2]}, samples=11)
    assert budget == Schedule(iterations=6, eval_interval=2, milestones=[4])
    assert Schedule.of({"epochs": 3, "batch_size": 4, "eval_interval": 0}, samples=3) == Schedule(3, 3, [])
    assert Schedule.of({"iterations": 7, "batch_size": 4, "eval_interval": 0}, 11) == Schedule(7, 7, [])


def test_no_warmup_no_warmup_schedule():
    budget = Schedule(10, 5, [4])
    assert [s["type"] for s in schedule({"warmup_iters": 2}, budget)] == ["LinearLR", "MultiStepLR"]
    assert not any(s["by_epoch"] for s in schedule({"warmup_iters": 2}, budget))
    for none in ({"warmup_iters": 0}, {"warmup_iters": 1}, {}):
        assert [s["type"] for s in schedule(none, budget)] == ["MultiStepLR"]


SGD = {"lr": 0.02, "momentum": 0.9}
OPTIMIZED = {
    "pretrain/configs/classifier.py": {**SGD, "nesterov": True, "weight_decay": 1e-4},
    "detection/configs/voc0712.py": {**SGD, "weight_decay": 5e-4},
    "captioning/configs/nic_coco.py": {"lr": 1e-3},
}


@pytest.mark.parametrize("config", OPTIMIZED)
def test_a_fused_optimizer_takes_the_steps_of_the_plain_one(config):
    """Fifty, of a network laid out as it is trained."""
    chosen, ends = Config.fromfile(Path(__file__).parents[3] / config).optim_wrapper.optimizer, []
    assert chosen.fused
    for fused in (True, False):
        torch.manual_seed(0)
        parts = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), torch.nn.Conv2d(8, 8, 1), torch.nn.Flatten()
        network = channels_last(torch.nn.Sequential(*parts, torch.nn.Linear(32, 4)))
        optimizer = OPTIMIZERS.build({**chosen, **OPTIMIZED[config], "params": network.parameters(), "fused": fused})
        for _ in range(50):
            optimizer.zero_grad()
            (network(torch.randn(8, 3, 4, 4)) - torch.randn(8, 4)).square().mean().backward()
            optimizer.step()
        ends.append([value.detach().clone() for value in network.parameters()])
    torch.testing.assert_close(*ends, rtol=0, atol=1e-6)


def test_progress_names_the_run_and_the_time_left(tmp_path, capsys):
    run = run_of()
    fit(run, task(run), 20, tmp_path)
    said = capsys.readouterr().out
    assert "[ssd_voc cutmix p0s1] 12/12  100 %  loss " in said
    assert "ETA 0:00:00" in said
