"""Config values compared key by key."""

import pytest

from workflow.core.compare import differing


def test_differing_names_nested_keys_and_both_values():
    assert differing({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}, "d": 0}) == {"a.b": (1, 3), "d": ("absent", 0)}


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), ([1, 2], [1.0, 2]), ({}, {}), (True, True), ("1", "1")])
def test_numbers_are_compared_as_numbers(one, other):
    assert differing({"a": one}, {"a": other}) == {}


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0.0, False), (1, "1"), ([1], [True]), ([1], [1, 1]), ([{"b": 1}], [{"b": True}])]
)
def test_what_is_written_like_a_number_is_none(one, other):
    assert differing({"a": one}, {"a": other}) == {"a": (one, other)}
