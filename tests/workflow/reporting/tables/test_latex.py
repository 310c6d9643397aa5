"""transfer.tex: it compiles, fits, is escaped, and says what its numbers are."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from workflow import registry
from workflow.reporting.summary import summarize
from workflow.reporting.tables.latex import ACROSS, escape, latex, side_by_side

DOCUMENT = r"""\documentclass[%s]{article}
\usepackage{booktabs}
\usepackage{array}
\begin{document}
Words.

\input{transfer}
\end{document}
"""
HARD = 'a_{b}$&#%~^\\x<>|"--−±é漢\n'


@pytest.fixture
def compiled(tmp_path):
    """compiled(text, option): what pdflatex says of it in a minimal article, and how many pages that has."""
    if not shutil.which("pdflatex"):
        pytest.skip("there is no pdflatex (Debian: texlive-latex-base and texlive-latex-recommended)")

    def call(text, option=""):
        (tmp_path / "transfer.tex").write_text(text, encoding="utf-8")
        (tmp_path / "paper.tex").write_text(DOCUMENT % option)
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
        for _ in range(2):  # the second time for the reference
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, said[-2000:]
        return said

    return call


def full(summary, n=3, verdicts=("better", "worse", "undecided"), covers="seeds and test images"):
    """The summary with an interval and a verdict in every cell, as wide as they come."""
    cells = {}
    for turn, (key, cell) in enumerate(summary.cells.items()):
        own = {"delta": 0.0, "low": None, "high": None, "covers": "", "verdict": ""}
        if cell.backbone != cell.baseline:
            low, high = (-9.87, -8.76) if "error" in cell.metric.name else (-23.4, -19.4)
            own |= {"delta": low / 2, "verdict": verdicts[turn % len(verdicts)]}
            own |= {"low": low, "high": high, "covers": covers} if covers else {}
        cells[key] = replace(cell, mean=53.2, values=(53.2,) * n, std=1.23 if n > 1 else None, **own)
    return replace(summary, cells=cells)


def lines_of(text, label):
    """The cells of every table line that begins so."""
    rows = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if " & " in line]
    return [row for row in rows if label in row[0]]


@pytest.mark.parametrize("option", ["", "twocolumn"])
def test_it_compiles_and_fits_a_plain_article(experiment, compiled, option):
    rows = {name: {} for name in ("baseline", "stochastic_depth", "feature_cutmix", "cutmix")}
    said = compiled(latex(full(summarize(experiment(rows).plan))), option)
    assert "Overfull" not in said
    assert "Float too large" not in said
    assert "undefined" not in said


def test_a_table_of_two_networks_fits_too(experiment, compiled):
    rows = {"baseline": {}, "cutmix": {}, "r18": {"network": "resnet18"}, "wide": {"network": "timm/wide_resnet50_2.x"}}
    said = compiled(latex(full(summarize(experiment(rows).plan))))
    assert "Overfull" not in said


def test_many_rows_go_on_in_a_second_table(experiment, compiled):
    rows = {name: {} for name in ("baseline", *(f"row_{n}" for n in range(9)))}
    text = latex(full(summarize(experiment(rows).plan)))
    assert text.count(r"\begin{table*}") == text.count(r"\caption{") == 2
    assert text.count(r"\label{tab:transfer}") == 1
    said = compiled(text)
    assert "Float too large" not in said
    assert "undefined" not in said
    few = latex(full(summarize(experiment().plan)))
    assert (few.count(r"\begin{table*}"), few.count(r"\begin{tabular}")) == (1, 2)


def test_names_and_notices_are_escaped(experiment, compiled):
    summary = summarize(experiment({"baseline": {}, "a_b.c--d": {}}).plan)
    compiled(latex(replace(summary, notices=[HARD], origins={"baseline": "", "a_b.c--d": HARD}, experiment="x_1")))
    assert escape("50 % of a_b & \\c{}") == r"50 \% of a\_b \& \textbackslash{}c\{\}"
    assert escape("a--b---c") == "a-{}-b-{}-{}-c"
    assert escape("漢\n–é") == r"??\textendash{}é"


def test_before_anything_has_run_it_compiles_too(experiment, compiled):
    small = experiment()
    for run in small.plan.runs:
        small.remove(run)
    text = latex(summarize(small.plan))
    assert "No run is finished." in text
    assert lines_of(text, "cutmix")[0][1:] == ["--"] * 5
    compiled(text)


def test_a_panel_is_no_wider_than_it_fits_and_a_task_stays_whole():
    tasks = registry.tasks()
    columns = [(name, metric) for name, task in tasks.items() for metric in task.metrics if metric.table != "csv"]
    panels = side_by_side(columns)
    assert [column for panel in panels for column in panel] == columns
    assert max(map(len, panels)) <= ACROSS
    for task in tasks:
        assert sum(task in dict(panel) for panel in panels) == 1


def test_a_row_has_its_mean_change_interval_and_paper(experiment):
    text = latex(full(summarize(experiment(tasks=["ssd_voc"]).plan)))
    named, changes, intervals, papers = (lines_of(text, label) for label in ("cutmix", "change", "interval", "paper"))
    assert named[0][2].startswith(r"\textbf{53.2}\,$\pm$\,1.2") == (r"\ast" in named[0][2])
    assert [cell.removeprefix(r"\scriptsize ") for cell in changes[0][1:]] == ["$-4.93$", "$-11.7$", "$-11.7$"]
    assert intervals[0][1:3] == [r"\scriptsize $[-9.87,-8.76]$", r"\scriptsize $[-23.4,-19.4]$"]
    assert [row[1] for row in papers] == [r"\scriptsize 23.68", r"\scriptsize 21.40 ($-2.28$)"]
    assert len(changes) == len(intervals) == 1, "the baseline has none"
    assert r"top1\_error $\downarrow$ & mAP $\uparrow$" in text


def test_better_and_worse_are_marked_and_the_caption_says_so(experiment):
    summary = summarize(experiment(tasks=["ssd_voc"]).plan)
    texts = {verdict: latex(full(summary, verdicts=[verdict])) for verdict in ("better", "worse", "undecided")}
    marks = {v: [bool(re.search(m, lines_of(t, "cutmix")[0][1])) for m in (r"textbf.*\\ast", r"\\dagger")]
             for v, t in texts.items()}  # fmt: skip
    assert marks == {"better": [True, False], "worse": [False, True], "undecided": [False, False]}
    assert all("corrected for its finished rows after Holm" in text for text in texts.values())
    assert all("(fewer than three seeds, or one pretraining)" in text for text in texts.values())


def test_the_caption_says_n_and_what_the_interval_covers(experiment):
    summary = summarize(experiment().plan)
    one, three = latex(full(summary, 1, ["single seed"], "")), latex(full(summary))
    assert "No verdict from one pretraining." in latex(full(summary, 3, ["one pretraining"]))
    assert "One run a cell ($n = 1$)." in one
    assert "Fewer than three seeds: no interval and no verdict." in one
    assert "Interval" not in one
    assert r"Mean $\pm$ sample standard deviation over $3$ runs" in three
    assert "over seeds and test images." in three
    assert "Fewer than three" not in three
    assert not lines_of(three, "emph{runs}")
    key = ("cutmix", "ssd_voc", "mAP")
    some = full(summary)
    few = replace(some.cells[key], low=None, high=None, covers="", verdict="few seeds")
    both = latex(replace(some, cells=some.cells | {key: few}))
    assert r"\scriptsize \emph{few seeds}" in lines_of(both, "interval")[0]
    assert "Fewer than three seeds: no interval and no verdict." in both
    assert r"]$\rlap{$^{\mathrm{t}}$}" in latex(full(summary, 3, ["one pretraining"]))


def test_the_caption_names_the_rows_of_one_pretraining(experiment):
    once, thrice = (latex(summarize(experiment(seeds=seeds).plan)) for seeds in ((1, 3), (3, 1)))
    assert r"with the noise of its transfers alone (intervals: $^{\mathrm{t}}$): baseline, cutmix." in once
    assert "one pretraining" not in thrice
    small = experiment({"baseline": {}, "mine": {"checkpoint": "mine.pth"}}, seeds=(1, 3))
    assert r"(intervals: $^{\mathrm{t}}$): baseline." in latex(summarize(small.plan)), "an imported file is what it is"


def test_the_caption_says_that_runs_of_one_pretraining_count_as_one(experiment):
    shared, apart = (latex(summarize(experiment(seeds=seeds).plan)) for seeds in ((2, 3), (3, 1)))
    assert "over $2$ to $6$ runs with different seeds. Runs that share a pretraining count as one seed" in shared
    assert "share a pretraining" not in apart


def test_means_over_unequal_runs_say_so(experiment):
    summary = full(summarize(experiment().plan))
    key = ("cutmix", "ssd_voc", "mAP")
    text = latex(replace(summary, cells=summary.cells | {key: replace(summary.cells[key], values=(53.2,) * 2)}))
    assert "over $2$ to $3$ runs" in text
    assert lines_of(text, "emph{runs}")[1][1:4] == [rf"\scriptsize {n}" for n in (3, 2, 3)]


def test_without_evidence_there_is_no_interval(experiment):
    text = latex(summarize(experiment(seeds=(2, 1)).plan))
    assert lines_of(text, "change")
    assert not lines_of(text, "interval")
    assert "Interval" not in text
