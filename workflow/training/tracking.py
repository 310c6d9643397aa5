"""The curves of a training while it runs, by mmengine's backends of TensorBoard, Weights & Biases and MLflow.

Off by default (workflow/planning/tracking.py). A resumed training continues its curves, and no bit of it changes.
"""

import contextlib
import math
import os
import uuid
from collections.abc import Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.visualization.vis_backend import (
    MLflowVisBackend,
    TensorboardVisBackend,
    WandbVisBackend,
    force_init_env,
)

from workflow.core.errors import UserError
from workflow.core.files import atomic
from workflow.planning.run_spec import RunSpec
from workflow.planning.tracking import refuse_missing
from workflow.training.hooks import POINTS_OF_A_CURVE, History, ends_window

ITERATIONS = 50  # between two points at most: the losses of a GPU have to be waited for
STEP = "iteration"  # the axis of Weights & Biases


class TensorboardTracker(TensorboardVisBackend):
    """Events in a folder, from `start` on: later ones of an attempt that was killed count no longer."""

    def __init__(self, folder: str, name: str, identity: str, start: int) -> None:
        super().__init__(str(Path(folder) / name))
        self.start = start

    def _init_env(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._tensorboard = SummaryWriter(self._save_dir, purge_step=self.start, flush_secs=10)

    def flush(self) -> None:
        """To the disk."""
        self.experiment.flush()


class WandbTracker(WandbVisBackend):
    """A run of the project `backbone-transfer`, or of what WANDB_PROJECT names, in the group of its experiment."""

    def __init__(self, folder: str, name: str, identity: str, start: int) -> None:
        group, project = Path(folder).parent.name, os.environ.get("WANDB_PROJECT", "backbone-transfer")
        options = {"project": project, "group": group, "name": name, "id": identity, "resume": "allow"}
        axes = [{"name": STEP}, {"name": "*", "step_metric": STEP}]
        super().__init__(folder, options, axes)

    @force_init_env
    def add_scalars(self, scalar_dict: dict, step: int = 0, **_: Any) -> None:
        """Not again what an attempt that was killed has sent."""
        if not hasattr(self, "reached"):
            self.reached = self._wandb.run.summary.get(STEP, -1) if self._wandb.run.resumed else -1
        if step > self.reached or "train/loss" not in scalar_dict:
            self._wandb.log({STEP: step, **scalar_dict})

    def flush(self) -> None:
        """It sends by itself."""

    def close(self) -> None:
        """mmengine's calls a former name."""
        self.experiment.finish()


class MLflowTracker(MLflowVisBackend):
    """A run in the file store in the folder, or where MLFLOW_TRACKING_URI says."""

    def __init__(self, folder: str, name: str, identity: str, start: int) -> None:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # one run, one folder: safe on a shared disk
        super().__init__(folder, Path(folder).parent.name, name, tracking_uri=os.environ.get("MLFLOW_TRACKING_URI"))
        self.tags, self.reached = {"backbone_transfer.id": identity}, {}

    def _init_env(self) -> None:
        import mlflow

        run_name, self._run_name = self._run_name, None  # set below: mmengine's way would begin another run
        super()._init_env()
        key, identity = next(iter(self.tags.items()))
        found = mlflow.search_runs(filter_string=f"tags.`{key}` = '{identity}'", output_format="list")
        if found:
            mlflow.start_run(run_id=found[0].info.run_id)
        else:
            mlflow.start_run(run_name=run_name, tags=self.tags)

    @force_init_env
    def add_scalars(self, scalar_dict: dict, step: int = 0, **_: Any) -> None:
        """Not again what an attempt that was killed has written."""
        new = {key: value for key, value in scalar_dict.items() if step > self.last(key)}
        self._mlflow.log_metrics(new, step)

    def last(self, key: str) -> int:
        """The last step of a metric that an earlier attempt has written."""
        if key not in self.reached:
            client, run = self._mlflow.MlflowClient(), self._mlflow.active_run().info.run_id
            self.reached[key] = max((point.step for point in client.get_metric_history(run, key)), default=-1)
        return self.reached[key]

    def flush(self) -> None:
        """Each point is written at once."""

    def close(self) -> None:
        """mmengine's would send the log too."""
        self.experiment.end_run()


TRACKERS = {"tensorboard": TensorboardTracker, "wandb": WandbTracker, "mlflow": MLflowTracker}


class TrackingHook(Hook):
    """Writes points: means of the losses, the rate, images/s and the share of waiting for data since the point before,
    and each evaluation. What the next point needs is kept in the resume state."""

    priority = "VERY_LOW"  # after the history, before a state is saved

    def __init__(self, run: RunSpec, state: Path, history: History) -> None:
        self.run, self.state, self.history = run, state, history
        self.windows = max(POINTS_OF_A_CURVE, math.ceil(history.iterations / ITERATIONS))
        self.losses: list[dict[str, torch.Tensor]] = []
        self.point: dict[str, float] = {}  # the last one, with its iteration
        self.backend: Any = None  # of further processes

    def before_train(self, runner: Runner) -> None:
        """The first process begins to write; what belongs to the iteration that is resumed is written again."""
        if is_main_process():
            self.backend = self.open(runner.iter)
            self.write(self.point if self.point.get(STEP) == runner.iter else {})
            for evaluation in self.history.evaluations[-1:]:
                self.evaluated(evaluation if evaluation[STEP] == runner.iter else {})
        self.restart(runner.iter)

    def open(self, start: int) -> Any:
        """UserError in one line for a tracker that does not work."""
        tracking = self.run.tracking
        refuse_missing(tracking["tracker"])
        file = self.state / "tracking_id.txt"  # as long as the state: from the first attempt to the record
        if not file.exists():
            with atomic(file) as temporary:
                temporary.write_text(uuid.uuid4().hex, encoding="utf-8")
        identity = file.read_text(encoding="utf-8", errors="replace")
        try:
            backend = TRACKERS[tracking["tracker"]](tracking["folder"], tracking["name"], identity, start)
            backend.experiment  # noqa: B018 (which begins it)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise UserError(f"{self.run.name}: {tracking['tracker']} does not start: {reason}") from None
        return backend

    def restart(self, iteration: int) -> None:
        """Begin to count for the next point."""
        self.since = iteration, self.history.seconds, self.history.waited

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Keep the losses; every so often write a point."""
        self.losses.append({key: value.detach() for key, value in outputs.items()})
        done, history = runner.iter + 1, self.history
        if not ends_window(done, history.iterations, self.windows):
            return
        iteration, seconds, waited = self.since
        seconds = max(history.seconds - seconds, 1e-9)
        speed, wait = (done - iteration) * history.batch / seconds, (history.waited - waited) / seconds
        self.point = {STEP: done, **self.means(), "lr": history.rate, "images_per_second": speed, "data_wait": wait}
        self.write(self.point)
        self.restart(done)

    def means(self) -> dict[str, float]:
        """Of each loss, over the iterations since the last point and over the processes."""
        sums = torch.stack(
            [torch.stack([values[key].float() for values in self.losses]).mean() for key in self.losses[0]]
        )
        all_reduce(sums, "mean")
        names = list(self.losses[0])
        self.losses.clear()
        return dict(zip(names, sums.tolist(), strict=True))

    def write(self, point: Mapping[str, float]) -> None:
        """In the first process."""
        if self.backend and point:
            values = {f"train/{key}": value for key, value in point.items() if key != STEP}
            self.backend.add_scalars(values, int(point[STEP]))

    def evaluated(self, evaluation: Mapping[str, Any]) -> None:
        """Likewise, of an evaluation, its metrics that are numbers."""
        if self.backend and evaluation:
            values = {
                f"val/{key}": value for key, value in evaluation.items() if isinstance(value, Real) and key != STEP
            }
            self.backend.add_scalars(values, evaluation[STEP])

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """The history has it already."""
        self.evaluated(self.history.evaluations[-1])

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """What the state has seen is on the disk before the state is."""
        self.backend.flush()
        losses = [{key: value.item() for key, value in values.items()} for values in self.losses]
        checkpoint["tracking"] = {"losses": losses, "point": self.point}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """The state of a run that was not tracked has nothing."""
        kept = checkpoint.get("tracking", {"losses": [], "point": {}})
        device = next(runner.model.parameters()).device
        self.point = kept["point"]
        self.losses = [
            {key: torch.tensor(value, device=device) for key, value in values.items()} for values in kept["losses"]
        ]


@contextlib.contextmanager
def tracked(run: RunSpec, state: Path, history: History) -> Iterator[list[Hook]]:
    """The hook of a run that is tracked; none otherwise. In the end, whatever ends it, all is written."""
    hook = TrackingHook(run, state, history)
    try:
        yield [hook] if run.tracking else []
    finally:
        if hook.backend:
            hook.backend.close()
