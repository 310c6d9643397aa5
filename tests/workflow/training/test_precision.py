"""fp32 is fp32: what each program that runs a network has set before its first batch."""

import ast
from pathlib import Path

import pytest
import torch

from backbones.backbone import IMAGENET, save_backbone
from captioning import feature_cache
from pretrain import evaluate
from pretrain.train import task
from tests.bench.workflow import ROOMS
from tests.pretrain.solved import SCORE
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.planning.run_spec import RunSpec
from workflow.training import precision
from workflow.training.engine import fit

PROJECT = Path(__file__).parents[3]
PRETRAIN = {
    "epochs": 1, "batch_size": 8, "lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4,
    "warmup_iters": 0, "milestones": [], "precision": "fp32", "crop_size": 32, "val_resize_size": 36,
    "crop_padding": 0, "mean": IMAGENET.mean, "std": IMAGENET.std,
    "crop_scale": [0.4, 1.0], "color_jitter": 0.0, "pca_lighting": 0.0, "zero_init_residual": True,
    "eval_interval": 1, "regularizers": {},
    "network": "resnet50",
}  # fmt: skip
CAPTIONS = {"resize_size": 40, "crop_size": 32, "num_views": 1, "precision": "bf16"}


class Reached(BaseException):
    """The network is about to see its first batch."""


@pytest.fixture
def flags():
    """flags(): the precision of fp32 convolutions, LSTMs and matrix products; TF32 until a program sets them."""
    before = [operations.fp32_precision for operations in precision.FP32]
    threads = torch.get_num_threads()
    for operations in precision.FP32:
        operations.fp32_precision = "tf32"
    yield lambda: [operations.fp32_precision for operations in precision.FP32]
    torch.set_num_threads(threads)
    for operations, value in zip(precision.FP32, before, strict=True):
        operations.fp32_precision = value


def test_torch_rounds_convolutions_and_lstms_to_tf32_by_default(flags):
    """The reason for all of this; should torch change it, the module can go."""
    assert flags() == ["tf32"] * 3
    precision.configure_torch(1)
    assert flags() == ["ieee"] * 3
    assert torch.get_num_threads() == 1


def training(imagenet, coco, folder, reached):
    """All tasks train by this one function."""
    import pretrain.dataset
    import pretrain.metric
    import pretrain.model  # noqa: F401 (registers)

    run = RunSpec("pretrain", "baseline", {"pretrain": 0}, PRETRAIN, {}, threads=1, workers=0, gpus=0)
    fit(run, task(run, DatasetInfo.read(imagenet.check), folder), 40, folder / "state", reached)


def scoring(imagenet, coco, folder, reached):
    """`python -m pretrain evaluate`, and the import of a backbone."""
    from pretrain.model import Classifier

    weights = Classifier("resnet50", 4).network.state_dict()
    evaluate.ranked(weights, reached, "3x3", DatasetInfo.read(imagenet.check), SCORE, 1)


def features(imagenet, coco, folder, reached):
    """`python -m captioning features`."""
    run = RunSpec("nic_coco", "baseline", {"pretrain": 0, "transfer": 0}, CAPTIONS, {}, threads=1, workers=0, gpus=0)
    save_backbone(
        folder / "backbone.safetensors", untrained_network().state_dict(), IMAGENET, "resnet50", origin="random"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feature_cache, "fill", lambda path, encoder, views, run: reached(encoder))
        feature_cache.make(run, folder / "backbone.safetensors", coco.check, folder)


def untrained_network():
    """A ResNet-50."""
    from torchvision.models import resnet50

    return resnet50(weights=None)


@pytest.mark.parametrize("program", [training, scoring, features])
def test_each_program_computes_fp32_before_its_first_batch(program, imagenet, coco, tmp_path, flags):
    def reached(anything):
        raise Reached

    reached.channel_order = "RGB"  # where `scoring` has the preprocessing
    with pytest.raises(Reached):
        program(imagenet, coco, tmp_path, reached)
    assert flags() == ["ieee"] * 3


def test_no_program_sets_the_threads_without_the_precision():
    """A program that runs a network sets its threads; the next one, too, does it by `configure_torch`."""
    files = [path for room in ROOMS for path in (PROJECT / room).rglob("*.py")]
    calls = {
        (path.relative_to(PROJECT).as_posix(), node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id)
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)
    }
    assert {file for file, name in calls if name == "set_num_threads"} == {"workflow/training/precision.py"}
    programs = {"workflow/training/engine.py", "captioning/feature_cache.py", "pretrain/random_backbone.py"}
    programs |= {f"pretrain/{name}.py" for name in ("evaluate", "gallery", "cam")}
    assert programs <= {file for file, name in calls if name == "configure_torch"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA device")
def test_fp32_of_a_device_is_as_close_to_the_true_value_as_a_cpu(flags):
    precision.configure_torch(1)
    torch.manual_seed(0)
    images, kernel, values = torch.randn(4, 256, 14, 14), torch.randn(256, 256, 3, 3), torch.randn(4, 16, 256)
    lstm = torch.nn.LSTM(256, 256, batch_first=True)
    for compute in (lambda x: torch.conv2d(x(images), x(kernel)), lambda x: x(lstm)(x(values))[0]):
        true = compute(lambda thing: thing.double())
        lstm.float()
        found = compute(lambda thing: thing.to("cuda")).cpu().double()
        lstm.cpu()
        assert (found - true).abs().max() < 3e-5 * true.abs().max(), "TF32 is ten times as far away"


def test_a_device_that_torch_cannot_use_is_refused_before_anything_is_set(monkeypatch):
    def refuse():
        raise UserError("torch cannot use it")

    before = torch.get_num_threads()
    monkeypatch.setattr("workflow.training.precision.refuse_unusable", refuse)
    with pytest.raises(UserError, match="torch cannot use it"):
        precision.configure_torch(before + 1)
    assert torch.get_num_threads() == before
