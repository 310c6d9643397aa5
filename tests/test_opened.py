"""The house is open: a room with a task of each kind, a data set and a network, which nobody knows, go from YAML to the
report.

tests/opened holds what a user adds. It is laid over a copy of the project, in which nothing else is edited.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from tests.opened_files import ADDED, PROJECT, added
from tests.snakemake_call import copy_project
from tests.test_dag import DEMO, DRAWN, TINY
from tests.test_readme import commands
from workflow import registry
from workflow.config.loading import load, overlay

PAGE = (PROJECT / "docs/add_a_task.md").read_text(encoding="utf-8")
ROWS = ADDED / "probe.yaml"
CONFIG = overlay(DEMO, TINY) | {
    **{
        "experiment": "opened",
        "backbones": {"baseline": {}},
        "seeds": {"pretrain": [0], "transfer": [0, 1]},
    },
    **{"data": {"imagenet": DRAWN["imagenet"]}, "tasks": {}},
}
for rows in (ROWS, ADDED / "plainnet.yaml"):
    CONFIG = overlay(CONFIG, yaml.safe_load(rows.read_text(encoding="utf-8")))
TASKS = {"logistic_probe", "fast_probe", "nearest_mean"}
ITS = "plain network (pretrain.network: plainnet)"
CHANGES = [
    ({"tasks": {"fast_probe": {"lr": -1}}}, "tasks.fast_probe.lr: must be above 0, not -1"),
    ({"tasks": {"nearest_mean": {"lr": 1}}}, "tasks.nearest_mean.lr: unknown key (known: batch_size, precision, size,"),
    ({"tasks": {"nearest_mean": {"data": "imagenet"}}}, "tasks.nearest_mean.data: must be a data set with layout"),
    ({"data": {"dots": {"synthetic": {"classes": 1}}}}, "data.dots.synthetic.classes: must be at least 2, not 1"),
    ({"pretrain": {"network": "vgg"}}, "pretrain.network: must be plainnet or resnet18 or resnet34 or"),
    ({"tasks": {"ssd_voc": DEMO["tasks"]["ssd_voc"]}, "data": {"voc": DRAWN["voc"]}},
     f"backbones.baseline: tasks.ssd_voc cannot take a {ITS}: it works on maps of strides 8, 16, 32, not 2, 4, 8; it"),
    ({"backbones": {"a": {"regularizers": {"stochastic_depth": {"drop_prob": 0.2, "probability": 1}}}}},
     f"backbones.a.regularizers.stochastic_depth: acts in residual blocks, and a {ITS} has none"),
    ({"backbones": {"a": {"regularizers": {"manifold_mixup": {"alpha": 1, "layers": ["layer1"], "probability": 1}}}}},
     f"backbones.a.regularizers.manifold_mixup.layers: a {ITS} has input, stage1, stage2, stage3, not 'layer1'"),
]  # fmt: skip
COLUMNS = "log_loss (nats) ↓", "log_loss (nats) ↓", "accuracy ↑", "auroc ↑"


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The copy: `folder`; and `call(words of a Python command line…)` in it: (exit status, all that it printed)."""
    folder = copy_project(tmp_path_factory.mktemp("opened"))
    for name in ("docs", "tests"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("opened", "results"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, folder)
    for file in added():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        assert not (folder / file).exists(), "a user adds files, and edits none"
        shutil.copy(ADDED / file, folder / file)
    (folder / "mine.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")

    def call(*words: str, timeout: float = 1800) -> tuple[int, str]:
        process = subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return process.returncode, process.stdout + process.stderr

    return SimpleNamespace(folder=folder, call=call)


def jobs(output: str) -> dict[str, int]:
    """Rule to its number of jobs, as Snakemake says what it plans."""
    return {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)}


@pytest.mark.slow
def test_its_own_tests_and_the_laws_of_declarations_hold(opened):
    tests = [file for file in added() if Path(file).name.startswith("test_")]
    theirs = "probe or nearest_mean or dots or plainnet or own_files"
    laws = "tests/workflow/test_registry.py", "tests/backbones/test_networks.py"
    words = "-m", "pytest", "-p", "no:cacheprovider", *tests, *laws, "-k", theirs
    status, output = opened.call(*words)
    assert status == 0, output
    assert len(tests) == 3
    assert int(re.search(r"(\d+) passed", output)[1]) > 15, output


def test_the_tutorial_s_commands_are_for_what_there_is(opened):
    source, tests, *plans, manual = commands(PAGE)
    assert source == "source .venv/bin/activate"
    assert all((opened.folder / path).exists() for path in tests.split()[1:])
    assert manual == "python -m workflow.reporting.manual", "which another test runs"
    assert [re.sub(r" (-n|--cores all)\b", "", each) for each in plans] == [
        "snakemake --configfile config/demo.yaml probe.yaml"] * 2  # fmt: skip
    status, output = opened.call("-m", "snakemake", "-n", "--configfile", "config/demo.yaml", "probe.yaml")
    assert status == 0, output
    planned = jobs(output)
    rows = len(load(PROJECT / "config/demo.yaml")["backbones"])
    expected = (2 * rows, rows, 2 * rows)
    assert (planned["probe"], planned["evaluate_probe"], planned["detection"]) == expected, "next to the demo's"


def test_its_config_is_checked(opened):
    status, output = opened.call("-m", "workflow.config", "mine.yaml")
    assert (status, output) == (0, "mine.yaml: config is valid\n")


def test_backbones_can_be_pretrained_on_its_data(opened):
    """Nothing outside the set's own files names it."""
    (opened.folder / "on_dots.yaml").write_text(yaml.safe_dump(overlay(CONFIG, {"pretrain": {"data": "dots"}})))
    status, output = opened.call("-m", "workflow.config", "on_dots.yaml")
    assert (status, output) == (0, "on_dots.yaml: config is valid\n")


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_wrong_value_is_refused_with_its_key(opened, change, message):
    (opened.folder / "wrong.yaml").write_text(yaml.safe_dump(overlay(CONFIG, change)), encoding="utf-8")
    status, output = opened.call("-m", "workflow.config", "wrong.yaml")
    assert status == 1
    assert output.startswith(f"error: wrong.yaml: {message}"), output
    assert f"`error: config/demo.yaml, probe.yaml: {CHANGES[0][1]}`" in PAGE


def test_its_runs_are_planned(opened):
    """Of what trains, each transfer seed; of what scores, each backbone; with two GPUs a run that scores takes one."""
    words = (
        "-m",
        "snakemake",
        "-n",
        "--configfile",
        "mine.yaml",
        "--directory",
        "planned",
        "--config",
        "resources={gpus: 2}",
    )
    more = (
        "seeds={pretrain: [0, 1], transfer: [0, 1]}",
        "tasks={nearest_mean: {batch_size: 9}}",
    )  # which two would not share
    status, output = opened.call(*words, *more)
    assert status == 0, output
    planned = jobs(output)
    assert (planned["pretrain"], planned["probe"], planned["evaluate_probe"]) == (2, 2 * 2 * 2, 2)
    assert (planned["draw_confusion"], planned["make_data"], planned["check_data"]) == (2, 2, 2)
    for rule, gpus in (("probe", {"2"}), ("evaluate_probe", {"1"})):
        assert set(re.findall(rf"^rule {rule}:$(?:\n .*)*?\n    resources: .*?\bgpu=(\d)", output, re.M)) == gpus
    assert "results/opened/fast_probe/baseline/p1s1/metrics.json" in output
    assert "results/opened/nearest_mean/baseline/p1/metrics.json" in output


def test_it_has_its_sections_in_the_manual(opened):
    status, output = opened.call("-m", "workflow.reporting.manual")
    assert status == 0, output
    page = (opened.folder / "config/README.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^#+ (\S+)\n(.*?)(?=^#+ )", page, re.M | re.S))
    names = list(sections)
    sets = [name for name in names if name.startswith("data.")][: len(registry.datasets())]
    assert names.index(sets[-1]) + 1 == names.index("data.dots")
    built_in = [name for name in names if name.startswith("tasks.")][: len(registry.transfer_tasks())]
    assert names.index(built_in[-1]) + 1 == names.index("tasks.logistic_probe")
    assert names.index("tasks.nearest_mean") == names.index("tasks.logistic_probe") + 1
    assert (
        "| `lr` | number, above 0 |  | required | Learning rate of SGD after the warm-up. |"
        in sections["tasks.logistic_probe"]
    )
    assert "| `synthetic.test` | integer, at least 1 | images | required |" in sections["data.dots"]


def test_its_columns_are_in_the_table_before_there_are_results(opened):
    status, output = opened.call("-m", "workflow.reporting.report", "--config", "mine.yaml", "--out", "pending")
    assert status == 0, output
    assert re.search(r"^backbone .*" + " +".join(map(re.escape, COLUMNS)) + r"$", output, re.M), output
    assert "6 of 6 runs are pending" in output


def check_report(folder: Path) -> None:
    """Every column in every table, with its unit; on the page both figures, embedded."""
    report = folder / "results/opened/report"
    rows = (report / "transfer.csv").read_text(encoding="utf-8").splitlines()
    cells = {tuple(row.split(",")[1:3]): row for row in rows[1:]}
    units = {pair: row.rpartition(",")[2] for pair, row in cells.items() if pair[0] in TASKS}
    assert units == {("logistic_probe", "log_loss"): "nats", ("fast_probe", "log_loss"): "nats",
                     ("nearest_mean", "accuracy"): "%", ("nearest_mean", "auroc"): "%"}  # fmt: skip
    (card,) = (folder / "results/backbones").glob("baseline-*/seed0/README.md")
    assert "# baseline: a plain network, pretrained" in card.read_text(encoding="utf-8").splitlines()
    assert "pending" not in (report / "transfer.md").read_text(encoding="utf-8")
    assert "| nearest_mean<br>auroc ↑ |" in (report / "transfer.md").read_text(encoding="utf-8")
    tex = (report / "transfer.tex").read_text(encoding="utf-8")
    assert "{Linear probe (fast\\_probe)}" in tex
    assert "log\\_loss (nats) $\\downarrow$" in tex
    page = (report / "transfer.html").read_text(encoding="utf-8")
    section = page.partition('<h2 id="confusion">')[2].partition("</section>")[0]
    assert re.findall("<h3>(.*)</h3>", section) == ["fast_probe", "logistic_probe"]
    assert section.count("data:image/") == 2
    assert "a cell counts test images" in section
    assert "log_loss (nats) ↓<" in page
    assert {path.name for path in report.glob("curves_*.svg")} == {
        f"curves_{name}.svg" for name in ("pretrain", "logistic_probe", "fast_probe")}  # fmt: skip


@pytest.mark.slow
def test_it_runs_to_the_report_and_then_has_nothing_to_do(opened):
    words = "-m", "snakemake", "--cores", "1", "--configfile", "mine.yaml"
    status, output = opened.call(*words)
    assert status == 0, output
    assert all(column in output for column in COLUMNS), output
    assert re.search(r"^baseline .* \d+\.\d{3} ± .* \d+\.\d{3}@", output, re.M), "with the digits of nats, and the best"
    check_report(opened.folder)
    status, output = opened.call(*words)
    assert (status, "Nothing to be done" in output) == (0, True), output


@pytest.mark.slow
def test_the_laws_of_all_rooms_hold_in_it(opened):
    """Of what a command line loads, of what may be called, of declarations, keys and messages."""
    laws = ["test_doors.py", "test_security.py", "workflow/training/test_precision.py", "workflow/test_contracts.py"]
    laws += ["workflow/test_registry.py", "workflow/config/test_loading.py", "workflow/reporting/test_declarations.py"]
    words = "-m", "pytest", "-p", "no:cacheprovider", "-m", "not slow", *(f"tests/{law}" for law in laws)
    status, output = opened.call(*words)
    assert status == 0, output


@pytest.mark.slow
def test_its_cost_is_measured(opened):
    status, output = opened.call("-m", "workflow.planning.cost", "--config", "mine.yaml")
    assert status == 0, output
    assert set(re.findall(r"^(\w+) +\d+ +\d", output, re.M)) >= TASKS, output
