"""The probing tasks: a linear classifier on frozen features, and the nearest class mean, which trains nothing."""

from workflow.contracts import Array, Figure, Metric, Resampling, Task

COMMON = {
    "folder": "probe",
    "dataset": "dots",
    "train_parts": ("train",),
    "test_part": "test",
    "sample": "training images",
}
CONFUSION = Figure(
    name="confusion",
    title="Confusion of classes",
    subcommand="confusion",
    suffix=".png",
    reads=("predictions.json", "metrics.json"),
)
SCORES = Resampling(
    arrays={"score": Array(("N", "C")), "label": Array(("N",), "count", index="C")},
    scorer="probe.auroc:resampled",
)

TASKS = (
    Task(
        name="logistic_probe",
        title="Linear probe",
        metrics=(Metric("log_loss", better="lower", unit="nats", digits=3, maximum=float("inf"), headline=True),),
        figures=(CONFUSION,),
        **COMMON,
    ),
    Task(
        name="nearest_mean",
        title="Nearest class mean",
        kind="evaluate",
        metrics=(Metric("accuracy", headline=True), Metric("auroc")),
        resampling=(SCORES,),
        **COMMON,
    ),
)
