"""The report is made of what tasks declare: it names none, and reports one that it has never seen."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.workflow.reporting.page.test_html_page import CAPTIONS
from workflow import registry
from workflow.contracts import Array, Metric, Resampling, Task
from workflow.core.errors import UserError
from workflow.reporting.page.html_page import html
from workflow.reporting.page.sections import sections
from workflow.reporting.publish import table
from workflow.reporting.summary import summarize
from workflow.reporting.tables.latex import latex
from workflow.reporting.tables.text_tables import long_csv, markdown, terminal
from workflow.training.per_image import write as write_evidence

REPORTING = Path(registry.__file__).parent / "reporting"
TASKS = registry.transfer_tasks().values()
FIGURES = {(figure.name, task.folder) for task in TASKS for figure in task.figures}
NAMES = {name for task in TASKS for name in (task.name, task.title)}
NAMES |= {metric.name for task in registry.tasks().values() for metric in task.metrics}
NAMES |= {name for data in registry.datasets().values() for name in (data.name, data.title)}


def test_no_template_of_the_report_names_what_is_declared():
    ids = re.compile(r'id="[^"]*"|"#[^"]*"')  # the anchor of the classification table
    pattern = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in NAMES))
    files = sorted((REPORTING / "page/templates").glob("*.j2"))
    assert len(files) > 10
    found = {file.name: pattern.findall(ids.sub("", file.read_text())) for file in files}
    assert {name: names for name, names in found.items() if names} == {}


def test_figures_of_two_rooms_do_not_share_a_name_and_none_has_that_of_another_section(experiment):
    names = [name for name, _ in FIGURES] + [one.id for one in sections(summarize(experiment().plan), set())]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "folder"), sorted(FIGURES))
def test_a_figure_has_its_template_and_its_caption_in_its_room(name, folder):
    files = {path.name for path in (registry.PROJECT / folder / "report").iterdir()}
    assert {f"{name}.html.j2", f"{name}.rst"} <= files


def rates(arrays):
    """The scorer of `probe`: wins of all images over the games of all."""
    return lambda drawn: {"rate": (drawn.T @ arrays["games"])[:, 0] / (drawn.T @ arrays["games"])[:, 1]}


def more_games_than_wins(path, arrays):
    """The check of `probe`."""
    if (arrays["games"][:, 0] > arrays["games"][:, 1]).any():
        raise UserError(f"{path}: more wins than games")


HERE = "tests.workflow.reporting.test_declarations"
GAMES = Resampling({"games": Array(("N", 2), "count")}, f"{HERE}:rates", f"{HERE}:more_games_than_wins", "games")
PROBE = Task(
    name="probe",
    title="Probe",
    folder="detection",
    dataset="imagenet",
    metrics=(
        Metric("rate", unit="", digits=3, maximum=1.0, headline=True),
        Metric("time", better="lower", unit="ms", digits=2, maximum=float("inf"), table="terminal"),
    ),
    kind="evaluate",
    resampling=(GAMES,),
    speed_unit=lambda protocol: "games/s",
)


@pytest.fixture
def probed(experiment, monkeypatch):
    """probed(seeds): an experiment with a column of a task that nobody knows, where cutmix has more wins and needs more
    time than baseline."""
    known = registry.tasks() | {"probe": PROBE}
    monkeypatch.setattr(registry, "tasks", lambda: known)

    def make(seeds=3, wins=0):
        small = experiment(seeds=(seeds, 1), tasks={"mine": {"task": "probe"}})
        for run in small.plan.runs:
            if run.task == "mine":
                better, seed = run.backbone == "cutmix", run.seeds["pretrain"]
                games = np.array([[3 + 2 * better + i % 2 + wins, 10] for i in range(30)])
                games[:seed, 0] += 1
                each = {"games": games, "time": np.linspace(2, 4, 30) + 5 * better + seed / 10}
                write_evidence(Path(run.record).with_name("per_image.npz"), np.arange(30), **each)
                small.sign(run, metrics={"rate": min(games[:, 0].sum() / 300, 1.0), "time": each["time"].mean()})
        return small

    return make


def test_a_task_that_nobody_knows_is_in_every_table(probed):
    summary = summarize(probed().plan)
    rate, time = (summary.cells["cutmix", "mine", name] for name in ("rate", "time"))
    assert (rate.verdict, time.verdict) == ("better", "worse"), "each in its direction"
    assert rate.low < rate.delta < rate.high
    assert rate.paper is None
    rows = list(csv.DictReader(io.StringIO(long_csv(summary))))
    units = {(row["task"], row["metric"]): row["unit"] for row in rows}
    assert units == {("pretrain", "top1_error"): "%", ("pretrain", "top5_error"): "%", ("mine", "rate"): "",
                     ("mine", "time"): "ms"}  # fmt: skip
    text = markdown(summary)
    assert "| mine<br>rate ↑ |" in text
    assert "All numbers are in percent (except rate, time); in brackets" in text
    assert "(by top1_error, rate) is shown next to it" in text
    assert f"{rate.mean:.3f} ± {rate.std:.3f} (+{rate.delta:.3f})" in text
    assert re.search(r"time \(ms\) ↓ .*\n─.*\nbaseline .* 3\.10 ", terminal(summary, Path("page")))
    assert "Probe<br>`mine` rate ↑" in table(summary)
    assert r"{Probe (mine)}" in latex(summary)
    assert r"\emph{small}, in percent (except rate); the last" in latex(summary)
    pages = html(summary, Path("results/small/report"), {}, {}, [], {})
    drawn = {"transfer.html", "curves_pretrain.svg", "forest.svg", "scatter.svg"}
    assert drawn == pages.keys(), "what trains nothing has no curve"
    page = pages["transfer.html"]
    assert "rate ↑</th>" in page
    assert re.search(rf"rate {rate.values[0]:.3f} · time \(ms\) \d\.\d\d<", page), "the list of runs"
    assert "61.5 games/s" in page
    assert 'id="per_class"' not in page, "it has none"


def test_today_s_tasks_are_all_in_percent(experiment):
    summary = summarize(experiment().plan)
    assert "All numbers are in percent; in brackets" in markdown(summary)
    assert long_csv(summary).splitlines()[0].endswith(",verdict,paper")
    assert "}, in percent; the last" in latex(summary)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 1.1}, r"metrics\.rate is 1\.1, not a finite number within 0 and 1"),
        ({"rate": 0.31}, r"per_image\.npz: rate is 0\.3500 by it and 0\.3100 in metrics\.json"),
        ({"rate": 0.3502}, r"per_image\.npz: rate is 0\.3500 by it and 0\.3502 in metrics\.json"),
        ({"mAP": 30.0}, r"metrics\.mAP is not a metric of mine"),
    ],
)
def test_a_metric_is_judged_on_its_own_range(probed, change, message):
    small = probed()
    small.edit(small.run("mine", "baseline", pretrain=0), metrics=change)
    with pytest.raises(UserError, match=message):
        summarize(small.plan)
    small = probed()
    small.edit(small.run("mine", "baseline", pretrain=0), metrics={"rate": 0.35005})
    summarize(small.plan)


def test_a_task_s_own_check_is_asked(probed):
    with pytest.raises(UserError, match=r"per_image\.npz: more wins than games"):
        summarize(probed(wins=9).plan)


def test_what_no_two_networks_share_is_refused_in_two_seeds(probed):
    small = probed()
    one, other = (Path(small.run("mine", "cutmix", pretrain=p).record) for p in (0, 1))
    other.with_name("per_image.npz").write_bytes(one.with_name("per_image.npz").read_bytes())
    small.sign(small.run("mine", "cutmix", pretrain=1), metrics=json.loads(one.read_text())["metrics"])
    with pytest.raises(UserError, match="have the same games: they are one run under two seeds"):
        summarize(small.plan)


def test_two_columns_of_one_task_are_told_apart(experiment):
    small = experiment(tasks={"nic_coco": {}, "tuned": {"task": "nic_coco"}})
    summary = summarize(small.plan)
    assert summary.cells["cutmix", "nic_coco", "CIDEr"].paper.value == 77.6
    assert summary.cells["cutmix", "tuned", "CIDEr"].paper is None, "the paper has one recipe"
    assert "{NIC, captioning}" in (text := latex(summary))
    assert "{NIC, captioning (tuned)}" in text
    names = ("captions_nic_coco", "captions_tuned")
    pages = html(summary, small.folder, {names[0]: json.dumps(CAPTIONS).encode()}, {names[1]: "not drawn"}, [], {})
    section = pages["transfer.html"].partition('<h2 id="captions">')[2].partition("</section>")[0]
    assert re.findall("<h3>(.*)</h3>", section) == ["nic_coco", "tuned"]
    assert section.count('<article class="card">') == section.count("not drawn") == 1
    assert [(name in pages, pages[f"{name}.html"].count("not drawn")) for name in names] == [(False, 0), (False, 1)]
    assert "<h1>Captions of the same photos, tuned: small</h1>" in pages["captions_tuned.html"]


def test_a_column_that_is_named_like_another_task_does_not_get_its_numbers(experiment):
    summary = summarize(experiment(tasks={"ssd_voc": {"task": "faster_rcnn_voc"}}).plan)
    assert summary.cells["cutmix", "ssd_voc", "mAP"].paper is None
