"""What the bootstrap is checked against: small made-up evidence, and metrics the slow and obvious way on a list of
images in which some stand twice. Written from the rules, not from the code."""

import numpy as np


def detections(seed, images=12, classes=4, per_image=9, thresholds=1, levels=5):
    """Arrays of evidence with many tied scores, left out detections, and classes in few images; in rank order."""
    rng = np.random.default_rng(seed)
    truths = rng.integers(0, 3, size=(images, classes)) * (rng.random((images, classes)) < 0.7)
    truths[:, 1] = 0  # nowhere
    truths[1:, 2] = 0  # in one image at most
    rows = []
    for image in range(images):
        free = np.repeat(truths[image][:, None], thresholds, axis=1)
        for _ in range(rng.integers(0, per_image + 1)):
            label, score = rng.integers(classes), np.float32(rng.integers(1, levels + 1) / levels)
            hit = (rng.random(thresholds) < 0.8) & (free[label] > 0)
            free[label] -= hit
            rows.append((image, label, score, hit, ~hit & (rng.random(thresholds) < 0.2)))
    rows.sort(key=lambda row: (row[1], -row[2]))
    image, label, score, hit, left = ([row[i] for row in rows] for i in range(5))
    return {
        "image": np.array(image, dtype=np.int32),
        "label": np.array(label, dtype=np.int32),
        "score": np.array(score, dtype=np.float32),
        "hit": np.array(hit, dtype=bool).reshape(-1, thresholds),
        "left": np.array(left, dtype=bool).reshape(-1, thresholds),
        "truths": truths.astype(np.int32),
    }


def ranked(arrays, chosen, label, threshold):
    """Hit or not of the counted detections of a class, best score first, over the images `chosen`, with repetition."""
    found = []
    for place, image in enumerate(chosen):
        for rank in np.flatnonzero((arrays["image"] == image) & (arrays["label"] == label)):
            if not arrays["left"][rank, threshold]:
                found.append((-arrays["score"][rank], rank, place, bool(arrays["hit"][rank, threshold])))
    return [hit for *_, hit in sorted(found)]


def precision_recall(hits, objects):
    """The curve, detection by detection."""
    right, curve = 0, []
    for seen, hit in enumerate(hits, start=1):
        right += hit
        curve.append((right / seen, right / objects))
    return curve


def eleven_points(curve):
    return sum(max([p for p, r in curve if r >= t], default=0.0) for t in np.arange(0, 1.001, 0.1)) / 11


def coco_points(curve):
    return sum(max([p for p, r in curve if r >= t], default=0.0) for t in np.linspace(0, 1, 101)) / 101


def area(curve):
    total, before = 0.0, 0.0
    for i, (_, recall) in enumerate(curve):
        total += (recall - before) * max(p for p, _ in curve[i:])
        before = recall
    return total


def mean_ap(arrays, chosen, rule, threshold=0):
    """In percent, over the classes that have objects in the images `chosen`."""
    each = []
    for label in range(arrays["truths"].shape[1]):
        objects = int(sum(arrays["truths"][image, label] for image in chosen))
        if objects:
            each.append(rule(precision_recall(ranked(arrays, chosen, label, threshold), objects)))
    return 100 * sum(each) / len(each) if each else 0.0


def repeated(weights):
    """A column of weights as the list of images that it stands for."""
    return [image for image, times in enumerate(weights) for _ in range(times)]
