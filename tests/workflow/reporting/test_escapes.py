"""Whatever data are called, the pages, tables and drawings show it as text."""

import re
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from backbones.model_card import code, escaped
from tests.workflow.reporting.page.test_html_page import Links, page
from workflow.reporting.page.html_page import html
from workflow.reporting.summary import summarize
from workflow.reporting.tables import latex, text_tables

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    "{{ 7 * 191 }}{% raw %}",
    "a|b\nc | d",
    "\" onmouseover='alert(1)",
    "\\input{/etc/passwd} $x_1^2$ & % # ~",
    "&lt;b&gt; &amp;",
    "]]><!-- --><![CDATA[",
    "[x](javascript:alert(1)) ![y](z) `code` *b* _i_",
    "\x1b[2Jcleared \r\x07 \u202egnp.\u2066turned\u200b",
]


def test_class_names_are_text_on_the_page(experiment):
    small = experiment()
    for run in small.plan.runs:
        if run.task == "ssd_voc":
            small.sign(run, per_class=dict.fromkeys(HOSTILE, 50.0))
    whole, _ = page(small)
    clean = {"script", "img", "iframe", "object", "embed"}
    assert Links(whole).tags.count("script") == 1, "the page's own"
    assert not (clean - {"script"}) & set(Links(whole).tags)
    assert "1337" not in whole, "nor is it a template"
    assert not re.search(r"<[^>]*\son\w+=", whole)
    pages = html(summarize(small.plan), small.folder, {}, {}, [], {})
    del pages["transfer.html"]
    for file, content in pages.items():
        if file.endswith(".svg"):
            ElementTree.fromstring(content)
        else:
            assert not clean & set(Links(content).tags), file
            assert content.replace("\n", "").isprintable(), file


def test_why_a_run_failed_is_text_everywhere(experiment):
    small = experiment()
    small.fail(small.run("ssd_voc", "cutmix"), " ".join(HOSTILE))
    summary = summarize(small.plan)
    tags = Links(page(small)[0]).tags
    assert "img" not in tags
    assert tags.count("script") == 1, "the page's own"
    table = [line for line in text_tables.markdown(summary).partition("\n## ")[0].splitlines() if line.startswith("|")]
    assert len(table) == 2 + 2
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1, "no cell is torn"
    assert "<script" not in text_tables.markdown(summary)
    assert "<img" not in text_tables.markdown(summary)
    for shown in (text_tables.markdown(summary), text_tables.terminal(summary, Path("\x1b[2J")), latex.latex(summary)):
        assert shown.replace("\n", "").isprintable()


TEXTS = st.text(st.sampled_from("ab <>|&\\`*_[]{}$#%~^\"'\n\r\u2028é\x00漢\x1b\u202e\u200b"), max_size=20)


@given(TEXTS)
def test_markdown_of_any_text_is_one_line_without_tags(data):
    for shown in (text_tables._md(data), escaped(data)):
        assert len(shown.splitlines()) <= 1
        assert not re.search(r"(?<!\\)[<|]", shown)
        assert shown.isprintable()
    inside = code(data)
    assert len(inside.splitlines()) <= 1
    assert "|" not in inside.replace("\\|", "")
    if inside.startswith("`"):
        assert inside.count("`") == 2, "nothing ends the code before its end"


@given(TEXTS)
def test_latex_of_any_text_holds_no_command_of_its_own(data):
    shown = latex.escape(data)
    assert len(shown.splitlines()) <= 1
    for command in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}", r"\textless{}", r"\textgreater{}",
                    r"\textbar{}", r"\{", r"\}", r"\$", r"\&", r"\#", r"\_", r"\%"):  # fmt: skip
        shown = shown.replace(command, "")
    assert not set(shown) & set("\\{}$&#_%~^")
