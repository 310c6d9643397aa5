"""The answer: never more than the verdicts say, and a rank correlation that has its signs right."""

import re
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.stats import kendalltau

from tests.workflow.reporting.statistics.test_comparisons import IMAGES, give, scored  # noqa: F401 (a fixture)
from workflow.reporting.answer import Correlation, compared, correlation, headlines, kendall, sentences, words
from workflow.reporting.page.answer_figures import FIGURES, printed, svg
from workflow.reporting.summary import summarize

COLUMN = "nic_coco"


def rank_correlation(small):
    """The correlation with the captioner's headline."""
    summary = summarize(small.plan)
    return correlation(summary, next(column for column in headlines(summary) if column[0] == COLUMN))


def test_a_row_that_classifies_worse_and_transfers_better_is_the_wrong_way_round(scored):  # noqa: F811
    """The fixture's level is an error in classification, and a score in captioning."""
    small = scored({"baseline": 50, "a": 60, "b": 70}, noise=0.0)
    assert (rank_correlation(small).tau, rank_correlation(small).rows) == (-1.0, 3)
    assert words(rank_correlation(small)) == "τ = −1.00, 3 rows"


def test_a_random_row_is_not_among_them(scored):  # noqa: F811
    small = scored({"baseline": 50, "a": 60, "scratch": 10}, specs={"scratch": {"init": "random"}})
    assert rank_correlation(small).rows == 2
    assert compared(summarize(small.plan)) == ["a"]


@pytest.mark.parametrize("rows", [3, 5])
def test_with_three_seeds_tau_has_an_interval(scored, rows):  # noqa: F811
    levels = dict(list({"baseline": 50, "a": 51, "b": 52, "c": 50.5, "d": 51.5}.items())[:rows])
    one = rank_correlation(scored(levels, seeds=(3, 1)))
    assert -1 <= one.low <= one.tau <= one.high <= 1
    assert one.low < one.high
    assert re.fullmatch(rf"τ = −\d\.\d\d \[[−+]\d\.\d\d, [−+]\d\.\d\d\], {rows} rows", words(one))
    few = rank_correlation(scored(levels, seeds=(2, 1)))
    assert few.low is None
    assert re.fullmatch(rf"τ = −\d\.\d\d, {rows} rows", words(few)), "two seeds have no interval"


def test_tau_is_that_of_scipy():
    """Also of ties, and of many draws at once."""
    pairs = np.random.default_rng(0).integers(0, 4, (50, 6, 2)).astype(float)
    pairs[0, :, 0] = 1.0
    np.testing.assert_allclose(kendall(pairs), [kendalltau(*one.T).statistic for one in pairs])


def test_equal_rows_have_no_correlation():
    assert words(Correlation(None, 1)) == "no τ of 1 row"


@pytest.mark.parametrize(
    ("levels", "seeds", "expected"),
    [
        ({"baseline": 50, "a": 60}, 1, "Classification has no verdict for a."),
        ({"baseline": 50, "a": 40}, 3, "Classification is better with a."),
        ({"baseline": 50, "a": 60}, 3, "Classification is worse with a."),
        ({"baseline": 50, "a": 40, "b": 60}, 3, "Classification is better with a; it is worse with b."),
    ],
)
def test_the_sentences_say_what_the_verdicts_say(scored, levels, seeds, expected):  # noqa: F811
    first, second = sentences(summarize(scored(levels, seeds=(seeds, 1)).plan))
    assert first == expected
    undecided = "So the table does not tell yet whether a better classifier makes a better backbone."
    transferred = {"better": "a is worse in nic_coco.", "worse": "a is better in nic_coco."}
    assert second.startswith(transferred.get(first.split()[2], undecided))
    assert second.endswith("b is better in nic_coco.") == ("b" in levels)


def test_rows_without_a_verdict_in_other_tasks_are_named_together(scored):  # noqa: F811
    small = scored({"baseline": 50, "a": 60, "b": 40, "c": 70}, seeds=(3, 1))
    for k, run in enumerate(small.plan.runs):
        if run.task != "pretrain" and run.backbone in "ab":
            give(small, run, "CIDEr", np.random.default_rng(k).normal(50, 10, IMAGES))
    first, second = sentences(summarize(small.plan))
    assert first == "Classification is better with b; it is worse with a, c."
    assert second == "c is better in nic_coco. Of b, a, no other task has a verdict."


def test_a_table_of_one_row_answers_nothing(scored):  # noqa: F811
    assert sentences(summarize(scored({"baseline": 50}).plan)) == ["No trained row is compared with another one."]


@pytest.mark.parametrize("levels", [{"baseline": 50}, {"baseline": 50, "a": 60, "b$": 70}])
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_figures_are_drawings_with_a_mark_for_each_row(scored, levels, seeds):  # noqa: F811
    summary = summarize(scored(levels, seeds=(seeds, 1)).plan)
    for name in FIGURES:
        for across in (1, 3):
            root = ElementTree.fromstring(svg(summary, name, across))
            assert root.tag.endswith("svg")
            assert root.attrib["aria-label"]
        assert svg(summary, name) == svg(summary, name), "the same records give the same bytes"
    assert all(name in svg(summary, "forest") for name in levels if name != "baseline")


def test_the_figures_for_papers_are_vectors_in_black_with_letters_of_a_font(scored):  # noqa: F811
    summary = summarize(scored({"baseline": 50, "a": 60}, seeds=(3, 1)).plan)
    for name in FIGURES:
        drawn = printed(summary, name)
        assert drawn == printed(summary, name), "the same records give the same bytes"
        assert drawn.startswith(b"%PDF")
        assert b"/Subtype /Type0" in drawn, "TrueType, which stays text"
        assert not re.search(rb"/Subtype /Image|/Type3|CreationDate", drawn)
        streams = [zlib.decompress(part) for part in re.findall(rb"stream\r?\n(\x78.*?)\r?\nendstream", drawn, re.S)]
        inks = set(re.findall(rb"([\d.]+(?: [\d.]+ [\d.]+ RG| G))", b"\n".join(streams)))
        assert b"0 G" in inks, "black"
        assert not [ink for ink in inks if ink.startswith(b"0.070588")], "that of the page, which stands for another"


def test_the_figures_for_a_hub_are_on_white_with_their_words(scored):  # noqa: F811
    """An image of a README stands on a dark page too, and takes no ink from it."""
    summary = summarize(scored({"baseline": 50, "a": 60}, seeds=(3, 1)).plan)
    for name in FIGURES:
        drawn = printed(summary, name, "svg")
        assert drawn == printed(summary, name, "svg"), "the same records give the same bytes"
        root = ElementTree.fromstring(drawn)
        assert root.find("{*}title").text in svg(summary, name)
        assert b"fill: #ffffff" in drawn, "white behind it"
        assert b"currentColor" not in drawn


def test_a_verdict_fills_the_marker(scored):  # noqa: F811
    sure, unsure = (summarize(scored({"baseline": 50, "a": 60}, seeds=(n, 1)).plan) for n in (3, 1))
    marks = [
        re.findall(r"<title>a, [^<]*</title>.*?<use [^>]*style=\"([^\"]*)\"", svg(one, "forest"), re.S)
        for one in (sure, unsure)
    ]
    assert [["fill-opacity: 0;" in mark for mark in each] for each in marks] == [[False, False], [True, True]]
