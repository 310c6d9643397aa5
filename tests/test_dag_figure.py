"""docs/dag.svg shows the rules that there are, and how they follow from each other."""

import re
import xml.etree.ElementTree as ET

import pytest

from tests.dag_figure import BOXES, FIGURE, HEIGHT, WIDTH, corner, edges, rule_graph, svg


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return rule_graph(folder=tmp_path_factory.mktemp("rules"))


def test_the_figure_has_the_edges_of_the_rules(rules):
    shown = set(re.findall(r'<path id="(\w+)-(\w+)"', FIGURE.read_text(encoding="utf-8")))
    assert shown == edges(rules), "python -m tests.dag_figure draws it"
    assert FIGURE.read_text(encoding="utf-8") == svg(edges(rules))


def test_every_rule_is_in_one_box(snakemake):
    names = [rule for box in BOXES.values() for rule in box.rules]
    assert sorted(names) == sorted(re.findall(r"^\w+$", snakemake("--list-rules")[1], re.M))


def test_an_edge_that_a_longer_way_replaces_is_left_out():
    rules = {("make_data", "pretrain"), ("pretrain", "detection"), ("make_data", "detection"), ("pretrain", "pretrain")}
    assert edges(rules) == {("data", "backbone"), ("backbone", "detection")}
    with pytest.raises(KeyError, match="unheard_of"):
        edges({("make_data", "unheard_of")})


def test_arrows_point_to_the_right_and_no_two_boxes_overlap(rules):
    assert all(BOXES[one].column + 1 <= BOXES[other].column for one, other in edges(rules))
    places = [corner(box) for box in BOXES.values()]
    for n, (left, top) in enumerate(places):
        assert all(abs(left - x) >= WIDTH or abs(top - y) >= HEIGHT for x, y in places[:n])


def test_it_is_a_picture_that_a_reader_can_open():
    root = ET.parse(FIGURE).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(root.findall("{*}text")) == 4 * len(BOXES)
