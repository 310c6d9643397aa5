"""Laws of the plan: a key or a state changes with what a result depends on, and with nothing else."""

import copy
import functools
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.checks import info
from tests.demo import ROWS, TASKS, demo
from workflow.core.errors import UserError
from workflow.core.files import write_json
from workflow.planning.plan import Plan, PlannedRun, plan
from workflow.planning.preflight import load_plan

PROJECT = Path(__file__).parents[3]
DEMO = demo()


def planned(*edits: tuple[str, object]) -> Plan:
    """The plan of the demo with values set at paths like `tasks/ssd_voc/lr`."""
    config = copy.deepcopy(DEMO)
    for path, value in edits:
        *parents, last = path.split("/")
        functools.reduce(lambda node, key: node[key], parents, config)[last] = value
    return plan(config)


class Wildcards(SimpleNamespace):
    """As Snakemake's: attributes, and `get`."""

    def get(self, key: str, default: str | None = None) -> str | None:
        return getattr(self, key, default)


def differing(one: Plan, other: Plan, field: str) -> set[tuple[str, str]]:
    """(task, backbone) of the runs that have another `field` in the other plan."""
    pairs = zip([*one.runs, *one.artifacts], [*other.runs, *other.artifacts], strict=True)
    return {(a.task, a.backbone) for a, b in pairs if value(a, field) != value(b, field)}


def value(run: PlannedRun, field: str) -> Any:
    """A field of a run, or the folder of a shared artifact of that name."""
    return run.shared.get(field, "") if field in ("features", "vocabulary") else getattr(run, field)


def test_paths_are_the_contracts():
    demo = planned(("seeds", {"pretrain": [3], "transfer": [7]}))
    backbone, ssd = demo.runs[0], next(run for run in demo.runs if run.task == "ssd_voc")
    key = backbone.weights.split("-")[1].split("/")[0]
    assert len(key) == 10
    assert backbone.weights == f"results/backbones/baseline-{key}/seed3/backbone.safetensors"
    assert backbone.record == f"results/backbones/baseline-{key}/seed3/metrics.json"
    assert ssd.record == "results/demo/ssd_voc/baseline/p3s7/metrics.json"
    assert ssd.weights == backbone.weights
    assert ssd.state.startswith(".work/")
    assert ssd.seeds == ssd.run["seeds"] == {"pretrain": 3, "transfer": 7}
    features = demo.artifacts[0].artifact
    assert features.startswith(f"results/features/baseline-{key}/seed3/")
    assert ssd.run["data"]["root"] + ".json" == ssd.check == demo.checks["voc"]


def test_every_backbone_meets_every_task_and_seed():
    plan_ = planned(("seeds", {"pretrain": [0, 1], "transfer": [0, 1, 2]}))
    runs = {(run.task, run.backbone, run.seeds["pretrain"], run.seeds.get("transfer")) for run in plan_.runs}
    assert runs == {("pretrain", b, p, None) for b in ROWS for p in (0, 1)} | {
        (t, b, p, s) for t in TASKS for b in ROWS for p in (0, 1) for s in (0, 1, 2)
    }
    assert len({run.record for run in plan_.runs}) == len({run.state for run in plan_.runs}) == len(runs)
    assert len(plan_.artifacts) == len(ROWS) * 2, "features are shared by the transfer seeds"


def test_a_run_is_told_its_section_and_no_more():
    from workflow.planning.run_spec import RunSpec

    demo = planned()
    for run in demo.runs:
        assert RunSpec.parse(run.json).as_dict() == run.run
        if run.task != "pretrain":
            assert run.run["recipe"] == DEMO["tasks"][run.task]
    cutmix = next(run for run in demo.runs if run.backbone == "cutmix")
    recipe = {key: value for key, value in DEMO["pretrain"].items() if key != "data"}
    assert cutmix.run["recipe"] == recipe | {"regularizers": {"cutmix": {"alpha": 1.0, "probability": 1.0}}}


MACHINE = {"cpu_threads": [8], "num_workers": [8], "gpus": [1, 2], "job_minutes": [7], "job_memory_gb": [7]}
MACHINE |= {"tracking": ["tensorboard"], "keep_networks": [True]}
MACHINES = [(f"resources/{key}", value) for key, values in MACHINE.items() for value in values]


@pytest.mark.parametrize("edit", [("experiment", "other"), *MACHINES])
def test_name_and_machine_stay_out_of_keys_and_states(edit):
    one, other = planned(), planned(edit)
    assert differing(one, other, "weights") == differing(one, other, "state") == set()
    assert differing(one, other, "features") == set()
    assert differing(one, other, "tracked") == set()


@pytest.mark.parametrize(
    ("edit", "weights", "states"),
    [
        (("pretrain/lr", 0.0123), ROWS, {(t, b) for t in ("pretrain", *TASKS) for b in ROWS}),
        (("pretrain/network", "resnet18"), ROWS, {(t, b) for t in ("pretrain", *TASKS) for b in ROWS}),
        (("data/imagenet/synthetic/seed", 97), ROWS, {(t, b) for t in ("pretrain", *TASKS) for b in ROWS}),
        (("data/voc/synthetic/seed", 97), (), {(t, b) for t in ("ssd_voc", "faster_rcnn_voc") for b in ROWS}),
        (("data/coco/synthetic/seed", 97), (), {("nic_coco", b) for b in ROWS}),
        (("tasks/ssd_voc/lr", 0.0123), (), {("ssd_voc", b) for b in ROWS}),
        (("tasks/nic_coco/lr", 0.0123), (), {("nic_coco", b) for b in ROWS}),
        (
            ("backbones/mixup/regularizers/mixup/alpha", 0.123),
            ("mixup",),
            {(t, "mixup") for t in ("pretrain", *TASKS)},
        ),
        (
            ("backbones/cutout/pretrain", {"lr": 0.0123}),
            ("cutout",),
            {(t, "cutout") for t in ("pretrain", *TASKS)},
        ),
    ],
)
def test_a_value_changes_what_depends_on_it(edit, weights, states):
    one, other = planned(), planned(edit)
    assert {backbone for _, backbone in differing(one, other, "weights")} == set(weights)
    assert differing(one, other, "state") == states
    assert differing(one, other, "tracked") == (states if not weights else {s for s in states if s[0] == "pretrain"})


def test_a_job_of_several_gpus_takes_the_cores_of_its_processes():
    rows = {"baseline": {}, "scratch": {"init": "random"}}
    four = planned(
        ("resources/gpus", 4), ("resources/cpu_threads", 2), ("resources/num_workers", 3), ("backbones", rows)
    )
    taken = {(run.task, run.backbone): (run.gpus, run.cores) for run in four.runs}
    assert taken.pop(("pretrain", "scratch")) == (0, 5), "nothing is trained"
    assert {*taken.values()} == {(4, 20)}
    assert {(run.gpus, run.cores) for run in four.artifacts} == {(1, 5)}
    assert {(run.gpus, run.cores) for run in planned().runs} == {(0, 1)}


@pytest.mark.parametrize(("gpus", "processes"), [(0, 1), (1, 1), (4, 4)])
def test_memory_is_that_of_each_process_and_its_workers_and_of_one_jvm(gpus, processes):
    demo = planned(("resources/gpus", gpus), ("resources/num_workers", 3), ("resources/job_memory_gb", 5))
    asked = {run.task: demo.memory(run) for run in demo.runs}
    assert asked == dict.fromkeys(asked, 8000 * processes) | {"nic_coco": 8000 * processes + 2500}
    assert {demo.memory(run) for run in demo.artifacts} == {8000}


def test_added_seeds_leave_the_other_runs_alone():
    one, more = planned(), planned(("seeds", {"pretrain": [0, 5], "transfer": [0, 9]}))
    before = {(run.record, run.state, run.json) for run in one.runs}
    assert before < {(run.record, run.state, run.json) for run in more.runs}


@pytest.mark.parametrize(
    ("key", "value"), [("resize_size", 97), ("crop_size", 80), ("num_views", 97), ("precision", "fp32")]
)
def test_features_of_other_views_or_precision_are_other_features(key, value):
    other = planned((f"tasks/nic_coco/{key}", value))
    assert differing(planned(), other, "features") == {("nic_coco", b) for b in ROWS}
    assert {run.run["recipe"][key] for run in other.artifacts} == {value}


@pytest.mark.parametrize(
    ("key", "value"), [("val_resize_size", 64), ("crop_size", 32), ("batch_size", 7), ("precision", "fp32")]
)
def test_an_imported_file_that_is_scored_otherwise_has_another_key(tmp_path, key, value):
    (tmp_path / "x.pth").write_bytes(b"")
    imported = ("backbones", {"baseline": {"checkpoint": str(tmp_path / "x.pth")}})
    other = planned(imported, (f"pretrain/{key}", value)).runs[0]
    assert planned(imported).runs[0].weights != other.weights
    assert other.run["recipe"][key] == value


def test_features_depend_on_the_views_alone():
    assert differing(planned(), planned(("tasks/nic_coco/hidden_size", 7)), "features") == set()
    assert differing(planned(), planned(("tasks/nic_coco/num_views", 97)), "features") == {
        ("nic_coco", b) for b in ROWS
    }
    fine_tuned = planned(("tasks/nic_coco/finetune_encoder", True))
    assert fine_tuned.artifacts == []
    assert all("features" not in run.shared for run in fine_tuned.runs)


def test_a_vocabulary_is_that_of_data_and_threshold():
    both = {"pretrain": [0, 1], "transfer": [0, 1]}
    for more in (
        ("tasks/nic_coco/finetune_encoder", True),
        ("tasks/nic_coco/hidden_size", 7),
        ("seeds", both),
        ("experiment", "x"),
    ):
        found = {run.shared["vocabulary"] for run in planned(more).runs if run.task == "nic_coco"}
        assert found == {f"{planned().checks['coco'].removesuffix('.json').replace('data', 'vocabularies')}/4"}, more
    assert all("vocabulary" not in run.shared for run in planned().runs if run.task != "nic_coco")
    of_all = {("nic_coco", name) for name in ROWS}
    for path in ("tasks/nic_coco/min_word_count", "data/coco/synthetic/seed"):
        one, other = planned(), planned((path, 97))
        assert differing(one, other, "vocabulary") >= of_all


def test_an_imported_backbone_is_known_by_its_bytes_and_by_what_it_is_scored_on(tmp_path):
    for name, content in {"a.pth": b"one", "b.pth": b"one", "c.pth": b"two"}.items():
        (tmp_path / name).write_bytes(content)

    def key(*changes, **backbone) -> str:
        runs = planned(("backbones/mine", backbone), ("seeds/pretrain", [4, 5]), *changes).runs
        mine = [run for run in runs if (run.task, run.backbone) == ("pretrain", "mine")]
        assert [run.seeds for run in mine] == [{"pretrain": 4}], "one run, under the first seed"
        assert mine[0].origin == "imported"
        return mine[0].weights

    one = key(checkpoint=str(tmp_path / "a.pth"))
    assert one == key(checkpoint=str(tmp_path / "b.pth"))
    assert one == key(checkpoint=str(tmp_path / "a.pth"), preprocessing="imagenet")
    assert one != key(checkpoint=str(tmp_path / "c.pth"))
    bgr = {"channel_order": "BGR", "mean": [1, 2, 3], "std": [1, 1, 1]}
    assert one != key(checkpoint=str(tmp_path / "a.pth"), preprocessing=bgr)
    assert one == key(checkpoint=str(tmp_path / "a.pth"), stride="3x3", checkpoint_key="ema")
    assert one != key(checkpoint=str(tmp_path / "a.pth"), stride="1x1")
    assert one != key(checkpoint=str(tmp_path / "a.pth"), checkpoint_key="raw")
    assert one == key(("pretrain/lr", 0.5), ("data/voc/synthetic/size", 99), checkpoint=str(tmp_path / "a.pth"))
    assert one != key(("pretrain/crop_size", 33), checkpoint=str(tmp_path / "a.pth"))
    assert one != key(("data/imagenet/synthetic/size", 99), checkpoint=str(tmp_path / "a.pth"))


def test_an_imported_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^backbones\.mine\.checkpoint: .*gone\.pth: No such file"):
        planned(("backbones/mine", {"checkpoint": str(tmp_path / "gone.pth")}))


def test_a_random_backbone_has_a_run_per_seed_and_follows_the_classes():
    def scratch(*edits) -> list[str]:
        runs = planned(("backbones/scratch", {"init": "random"}), ("seeds/pretrain", [0, 1]), *edits).runs
        return [run.weights for run in runs if (run.task, run.origin) == ("pretrain", "random")]

    assert len(set(scratch())) == 2
    assert scratch() == scratch(("pretrain/lr", 0.0123))
    assert scratch() != scratch(("data/imagenet/synthetic/classes", 11))


def test_the_patterns_of_the_three_origins_share_no_name(tmp_path):
    (tmp_path / "w").write_bytes(b"")
    mixed = planned(
        ("backbones/a.b", {"init": "random"}), ("backbones/a-b", {}), ("backbones/axb", {"checkpoint": f"{tmp_path}/w"})
    )
    for name, origin in {"a.b": "random", "a-b": "pretrained", "axb": "imported", "baseline": "pretrained"}.items():
        found = [o for o in ("pretrained", "imported", "random") if re.fullmatch(mixed.named(o), name)]
        assert found == [origin]
    assert not re.fullmatch(planned().named("imported"), "")


def test_a_check_that_is_gone_is_vouched_for_by_the_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = planned().runs[0]
    unknown = run.tracked
    info("f1").write(Path(run.check))
    known = run.tracked
    write_json(run.record, {"provenance": {"data": "f1"}})
    Path(run.check).unlink()
    assert known == run.tracked != unknown
    info("f2").write(Path(run.check))
    assert run.tracked not in (known, unknown)


def test_nothing_that_is_not_planned_is_found():
    demo = planned()
    assert demo.find(Wildcards(task="ssd_voc", backbone="cutmix", p="0", s="0")).seeds == {"pretrain": 0, "transfer": 0}
    with pytest.raises(UserError, match="this config has no ssd_voc of cutmix with these seeds"):
        demo.find(Wildcards(task="ssd_voc", backbone="cutmix", p="0", s="8"))


def test_a_fault_ends_the_process_with_one_line(capsys):
    with pytest.raises(SystemExit) as end:
        load_plan([], {"experiment": "x"})
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("error: --config alone")


def test_planning_needs_no_torch():
    code = "import sys, workflow.planning.plan; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
