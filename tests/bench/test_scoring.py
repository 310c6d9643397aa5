"""What the scorings are measured on is the same for both sides."""

from tests.bench.scoring import CLASSES, DETECTIONS, coco_world, world


def test_both_sides_of_voc_have_the_same_detections():
    annotations, ours, theirs = world(3)
    assert len(annotations) == len(ours) == len(theirs) == 3
    for one, tables in zip(ours, theirs, strict=True):
        assert len(one["score"]) == DETECTIONS == sum(map(len, tables))
        for label in range(CLASSES):
            assert sorted(one["score"][one["category_id"] == label + 1]) == sorted(tables[label][:, 4])


def test_coco_s_detections_are_of_its_images():
    found, truth = coco_world(3)
    assert set(found["image_id"]) == set(truth.getImgIds()) == {1, 2, 3}
    assert len(found["score"]) == 300
