"""Records in the folders of `records` count as runs, and nothing of them is planned: with the demo's published records,
which have no weights, as a second pretraining seed of them would be published too."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.snakemake_call import PROJECT
from tests.workflow.test_rules import jobs
from workflow.config.loading import load, overlay
from workflow.core.errors import UserError
from workflow.core.files import hashed, sha256, write_json
from workflow.planning import cost
from workflow.planning.plan import plan
from workflow.planning.preflight import warn_of_unused
from workflow.reporting.summary import summarize
from workflow.training.per_image import write as write_evidence

STORED = "docs/results/demo"
CONFIG = load(PROJECT / "config/demo.yaml") | {"records": [STORED]}
ROWS = list(CONFIG["backbones"])


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A folder with the demo's published records, and nothing else."""
    starts = {Path(run.weights).parents[1].name for run in plan(CONFIG | {"records": []}).runs}
    for folder in ("demo", *(f"backbones/{name}" for name in sorted(starts))):
        source = PROJECT / "docs/results" / folder
        shutil.copytree(source, tmp_path / "docs/results" / folder, ignore=shutil.ignore_patterns("*.md"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(record: Path, **changes) -> None:
    """Rewrite a record with other values, as its run would have written it."""
    content = json.loads(record.read_text())
    write_json(record, hashed(overlay(content, changes)))


def another_seed(results: Path, seed: int) -> None:
    """Records of another pretraining seed, as another machine would have made them."""
    for old in [*results.glob("demo/*/*/p0*"), *results.glob("backbones/*/seed0")]:
        new = old.with_name(old.name.replace("p0", f"p{seed}").replace("seed0", f"seed{seed}"))
        shutil.copytree(old, new)
        config = json.loads((new / "config.json").read_text())
        write_json(new / "config.json", overlay(config, {"seeds": {"pretrain": seed}}))
        arrays = dict(np.load(new / "per_image.npz"))
        arrays |= {"score": arrays["score"] * np.float32(0.5**seed)} if "score" in arrays else {}
        write_evidence(new / "per_image.npz", **arrays)
        record = json.loads((new / "metrics.json").read_text())
        points = [point | {"loss": point["loss"] + 0.5 * seed} for point in record["history"]["points"]]
        made = {"backbone": f"{seed}{record['provenance']['backbone'][1:]}"}
        files = {"backbone.safetensors": made["backbone"]} if new.name == f"seed{seed}" else {}
        files |= {name: sha256(new / name) for name in ("config.json", "per_image.npz")}
        edit(new / "metrics.json", seeds={"pretrain": seed}, provenance=made, files=files, history={"points": points})


def test_stored_runs_count_and_plan_only_the_report(stored, snakemake):
    todo = plan(CONFIG)
    assert {run.stored for run in todo.runs} == {STORED}
    assert (todo.jobs, todo.artifacts, todo.figures, todo.pages) == ([], [], {}, [])
    Path("x.yaml").write_text(yaml.safe_dump(CONFIG))
    status, said = snakemake("-n", "--configfile", "x.yaml")
    assert (status, jobs(said)) == (0, {"report": 1, "all": 1}), said
    summary = summarize(todo)
    assert {outcome.why for outcome in summary.outcomes} == {"done"}
    count = len(todo.runs)
    assert any(f"{count} of {count} records are stored in {STORED}" in remark for remark in summary.remarks)


def test_a_new_task_needs_the_weights_so_the_backbones_are_made_and_no_transfer_is(stored):
    config = overlay(CONFIG, {"tasks": {"mine": CONFIG["tasks"]["ssd_voc"] | {"task": "ssd_voc", "lr": 0.01}}})
    todo = plan(config)
    assert {(run.task, run.stored) for run in todo.runs} == {
        *((task, STORED) for task in ("pretrain", *CONFIG["tasks"])),
        ("mine", ""),
    }
    made = [(run.task, run.backbone) for run in todo.jobs]
    assert made == [*(("mine", row) for row in ROWS), *(("pretrain", row) for row in ROWS)]
    here = Path(todo.weights[0].record)
    assert here.parts[0] == "results"
    shutil.copytree(Path(todo.runs[0].record).parent, here.parent)
    edit(here, provenance={"seconds": 1.0}, files={"backbone.safetensors": "of another CPU"})
    again = plan(config)
    assert [run.record for run in again.runs] == [run.record for run in todo.runs], "stored ones stay"


def test_the_cost_is_that_of_what_is_planned(stored):
    assert cost.report(CONFIG, [1]) == "nothing to run: the records of all runs are stored"
    config = overlay(CONFIG, {"tasks": {"mine": CONFIG["tasks"]["ssd_voc"] | {"task": "ssd_voc", "lr": 0.01}}})
    pretrained = sum("init" not in row for row in CONFIG["backbones"].values())
    counts = {task: len(runs) for (task, *_), runs in cost.kinds(plan(config)).items()}
    assert counts == {"mine": len(ROWS), "pretrain": pretrained}


def test_weights_that_are_stored_too_are_used(stored):
    config = overlay(CONFIG, {"tasks": {"mine": CONFIG["tasks"]["ssd_voc"] | {"task": "ssd_voc", "lr": 0.01}}})
    for run in plan(config).runs:
        if run.task == "pretrain":
            Path(run.weights).write_bytes(b"weights")
    todo = plan(config)
    assert todo.weights == []
    assert {Path(run.weights).parts[0] for run in todo.jobs} == {"docs"}
    assert {run.task for run in todo.jobs} == {"mine"}


def test_a_new_row_is_planned_beside_the_stored_ones(stored):
    todo = plan(overlay(CONFIG, {"backbones": {"mine": {"regularizers": {"label_smoothing": {"smoothing": 0.1}}}}}))
    assert {run.backbone for run in todo.jobs} == {"mine"}
    assert {run.task for run in todo.jobs} == {"pretrain", *CONFIG["tasks"]}


def test_of_another_recipe_or_data_or_backbone_it_says_so_and_is_run_here(stored, capsys):
    todo = plan(overlay(CONFIG, {"tasks": {"ssd_voc": {"lr": 0.123}}}))
    assert {run.task for run in todo.jobs} == {"ssd_voc", "pretrain"}
    why = f"{STORED} has it with recipe.lr {CONFIG['tasks']['ssd_voc']['lr']}, here 0.123"
    assert {run.refused for run in todo.jobs if run.task == "ssd_voc"} == {why}
    assert {o.why for o in summarize(todo).outcomes if o.task == "ssd_voc"} == {f"pending: {why}"}
    warn_of_unused(todo)
    more = f"(and {len(ROWS) - 1} more)"
    assert (
        f"warning: records: not of this plan, and run here: ssd_voc {ROWS[0]} p0s0: {why} {more}\n"
        == capsys.readouterr().err
    )

    record = Path(f"{STORED}/ssd_voc/{ROWS[0]}/p0s0/metrics.json")
    edit(record, provenance={"backbone": "0" * 64})
    (again,) = (run for run in plan(CONFIG).jobs if run.task == "ssd_voc")
    assert again.refused == f"{STORED} has it, but of backbone 0000000000, which is not the plan's"

    todo = plan(overlay(CONFIG, {"pretrain": {"lr": 0.123}}))
    assert {run.stored for run in todo.runs} == {""} | {STORED for row in CONFIG["backbones"].values() if "init" in row}


def test_where_the_data_lie_is_not_compared(stored):
    for file in Path("docs/results").rglob("config.json"):
        content = json.loads(file.read_text())
        write_json(file, overlay(content, {"data": {"root": "/home/somebody/data"}}))
    for folder in Path("docs/results/backbones").iterdir():
        folder.rename(folder.with_name(f"{folder.name[:-10]}0123456789"))  # its key knows the root
    assert plan(CONFIG).jobs == []


def test_records_that_no_run_of_the_config_asks_for_are_named(stored, capsys):
    rows = {name: row for name, row in CONFIG["backbones"].items() if name != ROWS[-1]}
    warn_of_unused(plan(CONFIG | {"backbones": rows}))
    tasks = list(CONFIG["tasks"])
    found = capsys.readouterr().err
    assert found.startswith(f"warning: records: {len(tasks)} of {len(tasks) * len(ROWS)} in {STORED} are of no run of ")
    assert ROWS[-1] in found


def test_one_run_with_two_contents_is_refused(stored):
    shutil.copytree("docs/results", "other/results")
    both = CONFIG | {"records": [STORED, "other/results/demo"]}
    assert plan(both).jobs == [], "twice the same"
    name = f"ssd_voc/{ROWS[0]}/p0s0/metrics.json"
    edit(Path(f"other/results/demo/{name}"), provenance={"seconds": 1.0})
    with pytest.raises(UserError, match=f"^{STORED}/{name} and other/results/demo/{name} are both of the run ssd_voc "):
        plan(both)
    shutil.copytree("other/results/demo", "results/demo")
    with pytest.raises(UserError, match=f"^{STORED}/{name} and results/demo/{name} are both of the run ssd_voc "):
        plan(CONFIG)


def test_what_is_here_too_and_the_same_is_a_run_of_its_own(stored):
    shutil.copytree("docs/results", "results")
    assert {run.stored for run in plan(CONFIG).runs} == {""}


def test_a_damaged_record_is_named(stored):
    record = Path(f"{STORED}/ssd_voc/{ROWS[0]}/p0s0/metrics.json")
    record.write_text(record.read_text().replace('"seconds"', '"seconds_"'))
    with pytest.raises(UserError, match=f"^{record}: damaged: its content is not what the run wrote$"):
        plan(CONFIG)
    record.write_text("{")
    with pytest.raises(UserError, match=f"^{record}: not valid JSON"):
        plan(CONFIG)


def test_blocks_of_several_machines_give_the_joint_table_with_crossed_intervals(stored):
    for seed in (1, 2):
        another_seed(Path("docs/results"), seed)
    todo = plan(CONFIG | {"seeds": {"pretrain": [0, 1, 2], "transfer": [0]}})
    assert todo.jobs == []
    summary = summarize(todo)
    assert {outcome.why for outcome in summary.outcomes} == {"done"}
    cells = [cell for cell in summary.cells.values() if cell.n]
    assert {cell.n for cell in cells} == {3}
    held = {cell.covers for cell in cells if cell.limits}
    assert held == {"pretraining seeds and test images", "pretraining seeds and test images, not the transfer seed"}
