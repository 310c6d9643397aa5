"""What the README quotes is made from records in the repository, and from nothing else."""

import re
from pathlib import Path

import pytest

from workflow.reporting.publish import inserted, keep, kept, table
from workflow.reporting.summary import summarize
from workflow.reporting.text import long_csv, markdown
from workflow.training.errors import UserError

HOUSE = Path(__file__).parents[3]
README = (HOUSE / "README.md").read_text(encoding="utf-8")
TABLES = re.findall(r"<!-- table: (\S+) -->", README)
EXPERIMENTS = [name for name in TABLES if (HOUSE / f"config/{name}.yaml").is_file()]


def test_both_studies_stand_in_the_readme():
    assert EXPERIMENTS == ["tiny", "demo"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_tables_are_those_of_the_records(name, monkeypatch):
    monkeypatch.chdir(HOUSE)
    summary = kept(Path(f"config/{name}.yaml"), Path("docs"))
    assert inserted(README, name, table(summary)) == README
    assert (HOUSE / f"docs/results/{name}/transfer.csv").read_text() == long_csv(summary)
    assert (HOUSE / f"docs/results/{name}/transfer.md").read_text() == markdown(summary)
    assert not [outcome.name for outcome in summary.outcomes if not outcome.record], "every planned run is there"


def test_records_are_copied_with_what_lies_beside_them(experiment, tmp_path, monkeypatch):
    made = experiment(seeds=(2, 1))
    monkeypatch.chdir(made.folder)
    for run in made.plan.runs:
        run.record = Path(run.record).relative_to(made.folder)
    first, last = made.plan.runs[0], made.plan.runs[-1]
    made.remove(last)
    (Path(first.record).parent / "evidence.npz").write_bytes(b"arrays")
    (Path(first.record).parent / "log.txt").write_text("long")
    assert keep(made.plan, tmp_path / "docs") == len(made.plan.runs) - 1
    names = {path.name for path in (tmp_path / "docs" / first.record).parent.iterdir()}
    assert names == {"metrics.json", "config.json", "evidence.npz"}
    assert not (tmp_path / "docs" / last.record).exists()


def test_a_row_has_mean_spread_and_change_of_each_task(experiment):
    lines = table(summarize(experiment(seeds=(3, 1)).plan)).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| baseline", "| cutmix"]
    assert lines[0].count("|") == lines[3].count("|") == 6
    for name in ("`pretrain` top1_error ↓", "`ssd_voc` mAP ↑", "`faster_rcnn_voc` mAP ↑", "`nic_coco` CIDEr ↑"):
        assert name in lines[0]
    assert lines[3].count("(n = 3)<br>") == 4
    assert "<br>" not in lines[2], "the baseline has no change"


def test_a_missing_number_is_a_dash(experiment):
    made = experiment()
    made.remove(made.run("ssd_voc", "cutmix"))
    assert table(summarize(made.plan)).splitlines()[3].split(" | ")[2] == "–"


def test_a_readme_without_a_place_is_refused():
    with pytest.raises(UserError, match="no place for the table of mine: <!-- table: mine --> "):
        inserted("nothing", "mine", "| table |")
    marked = "a\n<!-- table: mine -->\nold\n<!-- end of table -->\nb\n<!-- end of table -->\n"
    assert inserted(marked, "mine", r"| \1 |") == (
        "a\n<!-- table: mine -->\n| \\1 |\n<!-- end of table -->\nb\n<!-- end of table -->\n"
    )
