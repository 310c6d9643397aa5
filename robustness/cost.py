"""What an evaluation costs here (workflow/planning/cost.py)."""

from pathlib import Path

from backbones.backbone import publish_untrained
from robustness.evaluate import evaluate
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.run_spec import RunSpec
from workflow.registry import tasks
from workflow.training import timing


def cost(run: RunSpec, check_file: Path, out: Path, network: str) -> dict[str, float]:
    """Seconds of a test image, in all that its protocols do with it."""
    check, backbone = DatasetInfo.read(check_file), out / "backbone.safetensors"
    publish_untrained(backbone, network, check.classes)
    start = timing.now()
    evaluate(run, backbone, check_file, out / "state", out / "run")
    return {"image": (timing.now() - start) / check.counts[tasks()[run.type].test_part]}
