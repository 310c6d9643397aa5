"""The figure: a panel for each protocol of a recipe, a line for each backbone with its interval."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from robustness.curves import draw, make, panels
from robustness.evaluate import publish
from robustness.scores import ALEXNET, Scores, clean_test, corrupted
from tests.robustness.recipes import RECIPE
from workflow.core.files import write_json
from workflow.reporting.figures import made_of, records
from workflow.reporting.statistics.bootstrap import Resampled

CURVES = {"fgsm": 3, "center": 4, "boundary": 4, "mixup": 4, "cutmix": 4}


@pytest.fixture(params=["robustness_imagenet", "imagenet_c"])
def runs(request, tmp_path):
    """Two backbones' runs of a task."""
    draw, label = np.random.default_rng(0), np.arange(20) % 3
    for name in ("baseline", "cut$mix"):
        if request.param == "imagenet_c":
            metrics, flags = corrupted(draw.integers(0, 3, (20, 15, 5)), label)
        else:
            found = {key: draw.integers(0, 3, (20, count)) for key, count in CURVES.items()}
            found |= {key: draw.integers(0, 3, 20) for key in ("clean", "pgd", "partner", "zero_gradient")}
            metrics, flags = clean_test(found | {"label": label})
        (tmp_path / name).mkdir()
        publish(tmp_path / name, Scores([f"{n}.png" for n in range(20)], metrics, flags, {"label": label}, {}))
        write_json(tmp_path / name / "config.json", {"task": "mine", "recipe": RECIPE | {"task": request.param}})
        write_json(tmp_path / name / "metrics.json", {})
    return request.param, {name: tmp_path / name for name in ("baseline", "cut$mix")}


def test_it_is_drawn_with_the_hashes_of_its_records(runs, tmp_path):
    _, folders = runs
    make(folders, tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    assert made_of(content) == records(folders)
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.width > 1000


def test_each_protocol_has_its_panel_and_each_point_its_name():
    five = panels("robustness_imagenet", RECIPE)
    assert [len(panel.x) for panel in five] == [4, 4, 4, 4, 4]
    assert list(five[0].x) == [0, 1, 2, 8]
    assert list(five[1].x) == [0, 16, 32, 48]
    assert list(five[3].x) == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert five[1].points == ["center 0", "center 1", "center 2", "center 3"]
    corruptions = panels("imagenet_c", {})
    assert len(corruptions) == len(ALEXNET)
    assert corruptions[14].title == "jpeg compression"
    assert corruptions[1].points == [f"corruption_errors {n}" for n in range(5, 10)]


def test_a_line_has_the_points_and_a_band_the_percentiles():
    panel, draws = panels("robustness_imagenet", RECIPE)[1], np.arange(1001) / 10
    points = {name: Resampled(50.0 + n, draws) for n, name in enumerate(panel.points)}
    axes = Figure().subplots()
    draw(axes, panel, {"a": points, "b": points})
    assert [line.get_ydata().tolist() for line in axes.get_lines()] == [[50, 51, 52, 53]] * 2
    edges = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (pytest.approx(2.5), pytest.approx(97.5))
