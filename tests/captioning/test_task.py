"""What captioning declares: the folders that runs share, and what its batch norm needs."""

from captioning.task import TASKS

(NIC,) = TASKS
RECIPE = {
    "resize_size": 256,
    "crop_size": 224,
    "num_views": 10,
    "precision": "bf16",
    "min_word_count": 4,
    "finetune_encoder": False,
    "lr": 0.1,
}
WEIGHTS = "results/backbones/results/backbones-1/seed0/backbone.safetensors"


def test_a_batch_has_two_samples_at_least():
    assert NIC.two_samples(RECIPE)


def test_features_are_those_of_backbone_views_and_data():
    features, vocabulary = (each.folder for each in NIC.shared)
    plain = features(RECIPE, "coco-1", WEIGHTS)
    assert plain.startswith("results/features/results/backbones-1/seed0/")
    assert features(RECIPE | {"lr": 9, "min_word_count": 9}, "coco-1", WEIGHTS) == plain
    changes = [{"resize_size": 9}, {"crop_size": 9}, {"num_views": 9}, {"precision": "fp32"}]
    others = [features(RECIPE | change, "coco-1", WEIGHTS) for change in changes] + [
        features(RECIPE, "coco-2", WEIGHTS)
    ]
    assert len({plain, *others}) == 6
    assert features(RECIPE | {"finetune_encoder": True}, "coco-1", WEIGHTS) == ""
    assert vocabulary(RECIPE, "coco-1", WEIGHTS) == "results/vocabularies/coco-1/4"
    assert [each.per_backbone for each in NIC.shared] == [True, False]
