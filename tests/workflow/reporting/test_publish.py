"""The tables of docs/results are made from records in the repository, and from nothing else."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from workflow.config.loading import load
from workflow.core.errors import UserError
from workflow.planning.plan import plan
from workflow.reporting import publish
from workflow.reporting.answer import compared, trained_rows
from workflow.reporting.page.answer_figures import FIGURES, printed
from workflow.reporting.publish import insert, inserted, kept_seeds, stored_summary, table, with_seeds, without_records
from workflow.reporting.publish import main as publish_door
from workflow.reporting.summary import summarize
from workflow.reporting.tables.text_tables import long_csv, markdown

HOUSE = Path(__file__).parents[3]
README = (HOUSE / "README.md").read_text(encoding="utf-8")
PAGES = {path.parent.name: path for path in sorted((HOUSE / "docs/results").glob("*/README.md"))}
EXPERIMENTS = [name for name, page in PAGES.items() if f"<!-- table: {name} -->" in page.read_text(encoding="utf-8")]


def test_the_demo_and_the_study_have_their_pages():
    assert EXPERIMENTS == ["demo", "tiny"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_tables_are_those_of_the_records(name, monkeypatch):
    monkeypatch.chdir(HOUSE)
    config = load(Path(f"config/{name}.yaml"))
    kept = sorted(kept_seeds(Path(f"docs/results/{name}")))
    assert set(kept) <= set(config["seeds"]["pretrain"])
    todo = plan(with_seeds(without_records(config), kept))
    summary = stored_summary(todo, Path("docs"))
    assert [outcome.why for outcome in summary.outcomes if outcome.status != "done"] == [], "every planned run is there"
    assert inserted(PAGES[name], name, table(summary)) == PAGES[name].read_text(encoding="utf-8")
    assert (HOUSE / f"docs/results/{name}/transfer.csv").read_text() == long_csv(summary)
    assert (HOUSE / f"docs/results/{name}/transfer.md").read_text() == markdown(summary)
    for figure, rows in (("forest", compared(summary)), ("scatter", trained_rows(summary))):
        drawn = (HOUSE / f"docs/results/{name}/{figure}.svg").read_text()
        assert all(f">{row}<" in drawn for row in rows)
    assert set(Path(f"docs/results/{name}").rglob("metrics.json")) <= {Path("docs") / run.record for run in todo.runs}


def test_the_readme_shows_the_study_as_its_page_does():
    """The first columns of its table and what the verdicts say, letter by letter."""
    section = README.partition("## The table")[2].partition("\n## ")[0]
    page = PAGES["tiny"].read_text(encoding="utf-8").partition("<!-- table: tiny -->\n")[2]
    kept = page.partition("<!-- end of table -->")[0].splitlines()
    short = ["|".join(line.split("|")[:5]) + "|" for line in kept if line.startswith("|")]
    assert [line for line in section.splitlines() if line.startswith("|")] == short
    assert "\n".join(line for line in kept if line and not line.startswith(("|", "Made on"))) in section
    count = ("three", "four", "five")[len(kept_seeds(PAGES["tiny"].parent)) - 3]
    assert f"with {count} pretraining seeds" in section
    assert "](docs/results/tiny/forest.svg)" in section


PAGE, EMPTY = Path("docs/results/small/README.md"), "before\n<!-- table: small -->\n<!-- end of table -->\nafter\n"


@pytest.fixture
def published(experiment, monkeypatch, capsys):
    """published(experiment): publish it from its folder, and what was printed."""
    made = experiment(seeds=(2, 1))
    monkeypatch.chdir(made.folder)
    runs = []
    for run in made.plan.runs:
        paths = {key: str(Path(getattr(run, key)).relative_to(made.folder)) for key in ("record", "weights", "check")}
        runs.append(replace(run, **paths))
    made.plan.runs[:] = runs
    PAGE.parent.mkdir(parents=True)
    PAGE.write_text(EMPTY)
    made.plan.config |= {"experiment": "small", "seeds": {"pretrain": [0, 1], "transfer": [0]}}

    def plan_of(config):
        runs = [run for run in made.plan.runs if run.seeds["pretrain"] in config["seeds"]["pretrain"]]
        return replace(made.plan, config=config, runs=runs)

    monkeypatch.setattr(publish, "load", lambda config: made.plan.config)
    monkeypatch.setattr(publish, "plan", plan_of)
    monkeypatch.setattr(sys, "argv", ["publish", "--config", "small.yaml"])

    def call():
        publish.main()
        return capsys.readouterr().out

    return made, call


def test_one_command_makes_records_tables_and_page_of_one_piece(published):
    made, call = published
    Path("results/small/ssd_voc/cutmix/p0s0/log.txt").write_text("long")
    gone = [
        Path("docs/results") / folder for folder in ("small/ssd_voc/another/p0s0", "backbones/cutmix-0123456789/seed0")
    ]
    for folder in gone:
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(
            '{"provenance": {}, "files": {"backbone.safetensors": "of another recipe"}}'
        )
    assert "16 runs kept in docs/results; their table is in docs/results/small/README.md" in call()
    assert not any(folder.parent.exists() for folder in gone)
    names = {path.name for path in Path("docs/results/small/ssd_voc/cutmix/p0s0").iterdir()}
    assert names == {"metrics.json", "config.json"}
    shutil.rmtree("results")
    summary = stored_summary(made.plan, Path("docs"))
    assert all(outcome.status == "done" for outcome in summary.outcomes)
    assert Path("docs/results/small/transfer.csv").read_text() == long_csv(summary)
    assert Path("docs/results/small/transfer.md").read_text() == markdown(summary)
    assert inserted(PAGE, "small", table(summary)) == PAGE.read_text()
    for name in FIGURES:
        assert Path(f"docs/results/small/{name}.svg").read_bytes() == printed(summary, name, "svg")
    assert PAGE.read_text().startswith("before\n<!-- table: small -->\n| backbone |")


def test_kept_records_need_no_data_here(published):
    """The folder of a drawn set is named by its photos, which a checkout of the records alone has not."""
    made, call = published
    call()
    named = {"root": "results/data/of-other-photos"}
    runs = [replace(run, run=run.run | {"data": run.run["data"] | named}) for run in made.plan.runs]
    summary = stored_summary(replace(made.plan, runs=runs), Path("docs"))
    assert {outcome.status for outcome in summary.outcomes} == {"done"}


def block(made, monkeypatch, *seeds):
    """The config of a machine that has these pretraining seeds."""
    config = made.plan.config | {"seeds": {"pretrain": list(seeds), "transfer": [0]}}
    monkeypatch.setattr(publish, "load", lambda file: config)


def test_blocks_of_several_machines_are_added(published, monkeypatch):
    """Each has its own results; the table is always of all that is kept."""
    made, call = published
    block(made, monkeypatch, 0)
    assert "8 runs kept in docs/results;" in call()
    assert "(n = 2)" not in PAGE.read_text()
    for folder in (*Path("results").glob("small/*/*/p0*"), *Path("results/backbones").glob("*/seed0")):
        shutil.rmtree(folder)  # the other machine never had them
    block(made, monkeypatch, 1)
    assert "16 runs kept in docs/results;" in call()
    assert PAGE.read_text().count("(n = 2)") == 8
    assert len(list(Path("docs/results/small").rglob("metrics.json"))) == 12
    assert len(list(Path("docs/results/backbones").rglob("metrics.json"))) == 4


def test_only_finished_blocks_are_published(published, monkeypatch):
    made, call = published
    made.remove(made.run("nic_coco", "cutmix", pretrain=1))
    said = call()
    assert "8 runs kept" in said
    assert "pretraining seeds that are not finished yet, and not kept: 1" in said
    assert not list(Path("docs/results").rglob("p1s0"))


def test_a_block_of_a_recipe_that_is_gone_makes_room(published, monkeypatch):
    made, call = published
    call()
    for run in made.plan.runs:
        if run.task == "ssd_voc":
            run.run["recipe"] = run.run["recipe"] | {"lr": 0.5}
            made.recipe(run, lr=0.5)
    block(made, monkeypatch, 1)
    assert "14 runs kept" in call()
    assert len(list(Path("docs/results/small").rglob("p0s0"))) == 4, "of the two other tasks"


def test_blocks_of_other_data_are_refused_and_nothing_is_changed(published, monkeypatch):
    made, call = published
    block(made, monkeypatch, 0)
    call()
    before = {path: path.read_bytes() for path in Path("docs").rglob("*") if path.is_file()}
    made.edit(made.run("ssd_voc", "cutmix", pretrain=1), provenance={"data": "of another machine"})
    block(made, monkeypatch, 1)
    with pytest.raises(SystemExit):
        call()
    assert {path: path.read_bytes() for path in Path("docs").rglob("*") if path.is_file()} == before


def test_backbones_of_another_kept_experiment_stay(published):
    _, call = published
    other, backbone = (
        Path("docs/results/large/ssd_voc/cutmix/p0s0"),
        Path("docs/results/backbones/cutmix-0123456789/seed0"),
    )
    for folder, record in (
        (other, {"provenance": {"backbone": "its hash"}}),
        (backbone, {"provenance": {}, "files": {"backbone.safetensors": "its hash"}}),
    ):
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(record))
    call()
    assert (other / "metrics.json").is_file()
    assert (backbone / "metrics.json").is_file()


def test_a_second_time_replaces_the_records_and_keeps_the_page(published):
    _, call = published
    call()
    stray = Path("docs/results/small/ssd_voc/gone/p0s0/metrics.json")
    stray.parent.mkdir(parents=True)
    stray.write_text("{}")
    before = PAGE.read_text()
    call()
    assert not stray.exists()
    assert PAGE.read_text() == before


def test_the_copies_are_judged_without_what_lies_in_results(published):
    made, call = published
    call()
    for weights in Path("results").rglob("backbone.safetensors"):
        weights.write_bytes(b"pretrained anew")
    assert all(outcome.status == "done" for outcome in stored_summary(made.plan, Path("docs")).outcomes)


def test_what_is_not_finished_or_stale_is_not_published_and_nothing_is_changed(published, capsys):
    made, call = published
    made.remove(made.run("nic_coco", "cutmix", pretrain=1))
    made.recipe(made.run("ssd_voc", "cutmix", pretrain=0), lr=0.1)
    with pytest.raises(SystemExit):
        call()
    said = capsys.readouterr().err
    assert (
        "2 of 16 runs have no record to publish: nic_coco cutmix p1s0 (pending), ssd_voc cutmix p0s0 (stale: " in said
    )
    assert [path for path in Path("docs").rglob("*") if path.is_file()] == [PAGE]
    assert PAGE.read_text() == EMPTY


def test_a_row_has_mean_spread_and_change_of_each_task(experiment):
    lines = table(summarize(experiment(seeds=(3, 1)).plan)).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| baseline", "| cutmix"]
    undecided = "So the table does not tell yet whether a better classifier makes a better backbone."
    assert lines[4:] == ["", "Classification has no verdict for cutmix.", undecided, "", "Made on x86_64 CPU."]
    assert lines[0].count("|") == lines[3].count("|") == 6
    for name in ("`pretrain` top1_error ↓", "`ssd_voc` mAP ↑", "`faster_rcnn_voc` mAP ↑", "`nic_coco` CIDEr ↑"):
        assert name in lines[0]
    assert lines[3].count("(n = 3)<br>") == 4
    assert "<br>" not in lines[2], "the baseline has no change"


def test_a_missing_number_is_a_dash(experiment):
    made = experiment()
    made.remove(made.run("ssd_voc", "cutmix"))
    assert table(summarize(made.plan)).splitlines()[3].split(" | ")[2] == "–"


def test_a_page_without_a_place_is_refused(tmp_path):
    page = tmp_path / "page.md"
    with pytest.raises(UserError, match=r"page\.md: cannot be read: No such file"):
        inserted(page, "mine", "| table |")
    page.write_text("nothing")
    with pytest.raises(UserError, match=r"page\.md: no place for the table of mine: <!-- table: mine --> "):
        inserted(page, "mine", "| table |")
    page.write_text("a\n<!-- table: mine -->\nold\n<!-- end of table -->\nb\n<!-- end of table -->\n")
    insert(page, "mine", r"| \1 |")
    assert page.read_text() == "a\n<!-- table: mine -->\n| \\1 |\n<!-- end of table -->\nb\n<!-- end of table -->\n"


def test_publish_must_be_given_each_of_its_arguments(required):
    assert required(publish_door) == ["--config"]
