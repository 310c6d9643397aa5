"""What a probe costs here: `python -m probe.cost --run-spec JSON --dataset-info CHECK.json --out DIR`
(workflow/planning/cost.py)."""

from pathlib import Path
from typing import Any

from workflow.training.cost_command import command_line


def cost(run: Any, check_file: Path, out: Path, network: str) -> dict[str, float]:
    """Seconds of a step and of a test image; of what trains nothing, of an image."""
    import probe.metric
    import probe.model  # noqa: F401 (registers)
    from backbones.backbone import publish_untrained
    from probe.evaluate import features
    from probe.features import load
    from probe.train import task
    from workflow.core.files import read_check
    from workflow.training.timing import measure, now

    check, backbone, state = read_check(check_file), out / "backbone.safetensors", out / "state"
    publish_untrained(backbone, network)
    if run.type == "nearest_mean":
        start = now()
        passed, _ = features(run, check, backbone, "test")
        return {"image": (now() - start) / len(passed)}
    start = lambda model: load(model.encoder, backbone)  # noqa: E731
    return measure(run, task(run, check, backbone, state), check["counts"]["train"], state, start)


main = command_line(cost)

if __name__ == "__main__":
    main()
