"""The form of the Snakefile and the files of rules."""

import re

import pytest

from tests.snakemake_call import PROJECT


def test_the_snakefile_is_a_table_of_contents():
    assert len((PROJECT / "Snakefile").read_text().splitlines()) <= 40


RULES = sorted([*PROJECT.glob("workflow/rules/*.smk"), *PROJECT.glob("*/rules.smk")])


@pytest.mark.parametrize("path", RULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_rule_fills_the_same_slots(path):
    slots = ["input", "output", "log", "conda", "threads", "resources", "params", "shell"]
    text = path.read_text()
    if "\n    rule:" in text:  # in a loop it is indented
        text = re.sub(r"^    (?=rule:|    )", "", text, flags=re.M)
    for body in re.split(r"^(?:rule|checkpoint)(?: \w+)?:\n", text, flags=re.M)[1:]:
        body = re.split(r"^\S", body, maxsplit=1, flags=re.M)[0]
        found = re.findall(r"^    (\w+):", body, re.M)
        # Data that are drawn have no input; a target (`snakemake data`) has nothing else.
        found = [slot for slot in found if slot not in ("wildcard_constraints", "name", "retries")]
        assert found in (slots, slots[1:], ["input"])
