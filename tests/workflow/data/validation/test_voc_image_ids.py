"""The integers by which predictions know VOC's images."""

import pytest

from workflow.data.validation.voc_image_ids import voc_image_ids


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["000001", "2008_000008"], [1, 2008000008]),
        (["a7b", "img_12.5"], [7, 125]),
        (["7", "kite"], [1, 2]),
        (["a1", "b01"], [1, 2]),  # no two are one
        (["7", "1" * 18], [7, int("1" * 18)]),
        (["7", "1" * 19], [1, 2]),  # more than 64 bits hold
        ([], []),
    ],
)
def test_an_id_is_a_name_s_digits_or_else_its_place(names, ids):
    assert voc_image_ids(names) == ids
