"""Which training images are held out while a learning rate is chosen."""

import pytest

from workflow.data.held_out import held_out, part_of


@pytest.mark.parametrize(("images", "count"), [(1, 1), (9, 1), (40, 4), (1000, 100)])
def test_a_tenth_is_held_out_and_one_image_at_least(images, count):
    assert len(held_out(range(images))) == count


def test_they_follow_from_the_ids_alone():
    ids = [7 * n for n in range(50)]
    assert held_out(ids) == held_out(reversed(ids))
    assert held_out(ids) < set(ids)


def test_they_are_drawn_and_not_the_first_ones():
    drawn = sorted(held_out(range(1000)))
    assert drawn != list(range(100))
    assert 400 < sum(drawn) / 100 < 600


def test_the_parts_are_all_there_is():
    ids = range(100, 130)
    kept, drawn = part_of(ids, False), part_of(ids, True)
    assert (len(kept), len(drawn)) == (27, 3)
    assert kept | drawn == part_of(ids, None) == set(ids)
