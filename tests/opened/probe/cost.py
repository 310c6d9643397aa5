"""What a probe costs here (workflow/planning/cost.py)."""

from pathlib import Path

import probe.metric
import probe.model  # noqa: F401 (registers)
from backbones.backbone import publish_untrained
from probe.evaluate import features
from probe.features import load
from probe.train import task
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.run_spec import RunSpec
from workflow.training import timing


def cost(run: RunSpec, check_file: Path, out: Path, network: str) -> dict[str, float]:
    """Seconds of a step and of a test image; of what trains nothing, of an image."""
    check, backbone, state = DatasetInfo.read(check_file), out / "backbone.safetensors", out / "state"
    publish_untrained(backbone, network)
    if run.type == "nearest_mean":
        start = timing.now()
        passed, _ = features(run, check, backbone, "test")
        return {"image": (timing.now() - start) / len(passed)}
    start = lambda model: load(model.encoder, backbone)  # noqa: E731
    return timing.measure(run, task(run, check, backbone, state), check.counts["train"], state, start)
