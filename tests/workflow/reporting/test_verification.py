"""What a run left is verified: of what was damaged nothing enters a number; each fault is one line with its file."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflow.core.errors import UserError
from workflow.core.files import record_digest
from workflow.reporting.page.html_page import html
from workflow.reporting.records import read
from workflow.reporting.summary import summarize
from workflow.reporting.tables.text_tables import long_csv, markdown, terminal
from workflow.training.per_image import write as write_evidence

FILES = ("metrics.json", "config.json", "per_image.npz", "backbone.safetensors", "predictions.json")


@pytest.fixture
def small(experiment):
    """Two rows, classified and captioned; the captioning of cutmix has all that a run publishes."""
    small = experiment(tasks=("nic_coco",))
    run = small.run("nic_coco", "cutmix")
    folder = Path(run.record).parent
    write_evidence(folder / "per_image.npz", np.arange(12), CIDEr=np.linspace(0, 100, 12))
    (folder / "predictions.json").write_text("[]")
    (folder / "backbone.safetensors").write_bytes(bytes(8192))
    small.sign(run, metrics={"CIDEr": 50.0})
    return small


def folder_of(small):
    return Path(small.run("nic_coco", "cutmix").record).parent


def line(function, *values):
    """The one line that is said; empty if there is none."""
    try:
        function(*values)
    except UserError as error:
        text = str(error)
    else:
        return ""
    assert len(text.splitlines()) == 1
    return text


def refused(small):
    """The one line of the report."""
    text = line(summarize, small.plan)
    assert text
    return text


def everything(small):
    """All that the report writes, as text."""
    summary = summarize(small.plan)
    pages = html(summary, small.folder, {}, {}, [], {})
    return [long_csv(summary), markdown(summary), terminal(summary, Path("x")), *pages.values()]


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_named(small, name):
    file = folder_of(small) / name
    assert summarize(small.plan).cells["cutmix", "nic_coco", "CIDEr"].mean == 50
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    stamp = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert refused(small).startswith(f"{file}: ")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device", "a link that leads nowhere", "nothing in it"])
def test_what_is_no_file_is_named_and_does_not_hang(small, name, kind):
    file = folder_of(small) / name
    file.unlink()
    if kind == "a pipe":
        os.mkfifo(file)
    elif kind == "a folder":
        file.mkdir()
    elif kind == "nothing in it":
        file.write_bytes(b"")
    else:
        file.symlink_to("/dev/zero" if kind == "a device" else "nowhere")
    assert refused(small).startswith(f"{file}: ")


@pytest.mark.parametrize(
    ("name", "wanted"), [("config.json", True), ("per_image.npz", True), ("predictions.json", False)]
)
def test_a_file_that_is_gone_is_named_where_numbers_hang_on_it(small, name, wanted):
    (folder_of(small) / name).unlink()
    if wanted:
        assert refused(small).startswith(f"{folder_of(small) / name}")
    else:
        assert summarize(small.plan).cells["cutmix", "nic_coco", "CIDEr"].mean == 50


@pytest.mark.parametrize(
    "edit",
    [
        lambda record: record["metrics"].update(CIDEr=55.0),
        lambda record: record["metrics"].clear(),
        lambda record: record["provenance"].update(code="f" * 64),
        lambda record: record["files"].pop("per_image.npz"),
        lambda record: record["history"]["points"].pop(),
        lambda record: record.pop("sha256"),
        lambda record: record.pop("files"),
    ],
)
def test_an_edited_record_is_named(small, edit):
    path = folder_of(small) / "metrics.json"
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))
    assert refused(small).startswith(f"{path}: ")


def test_a_record_of_before_hashes_is_in_no_number(small):
    path = folder_of(small) / "metrics.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({key: record[key] for key in record if key not in ("files", "sha256")}))
    cell = summarize(small.plan).cells["cutmix", "nic_coco", "CIDEr"]
    assert (cell.mean, cell.missing) == (None, "stale: it has no hashes, as records of before; remove its folder")


def test_a_folder_of_another_seed_is_refused_though_its_hashes_fit(experiment):
    small = experiment(seeds=(3, 1))
    one, other = (Path(small.run("nic_coco", "cutmix", pretrain=p).record).parent for p in (0, 1))
    shutil.rmtree(other)
    shutil.copytree(one, other)
    assert "seeds is 'pretrain 0, transfer 0' where 'pretrain 1, transfer 0' belongs" in refused(small)


HUGE = 10**400
NO_OBJECTS = [None, True, 3, 1.5, "text", [], [1]]
NO_NUMBERS = [None, True, "1", [], {}, HUGE, -1, 1 << 60]
PLACES = [
    *(((key,), value) for key in ("metrics", "protocol", "provenance", "history", "best") for value in NO_OBJECTS),
    *((("per_class",), value) for value in NO_OBJECTS),
    *((("metrics", "CIDEr"), value) for value in [*NO_NUMBERS, -0.1, 1000.1]),
    *((("best", "CIDEr"), value) for value in [*NO_NUMBERS, 1000.1]),
    *((("per_class", "cat"), value) for value in [*NO_NUMBERS[1:], 100.1]),
    *((("provenance", key), value) for key in ("recipe", "data") for value in (None, 3, [], {})),
    *((("provenance", key), value) for key in ("code", "device", "backbone") for value in (3, [], {}, True)),
    *((("provenance", key), v) for key in ("seconds", "data_wait", "peak_memory_mb") for v in NO_NUMBERS),
    *((("provenance", key), value) for key in ("libraries", "machine") for value in (3, [], "x")),
    *((("history", key), value) for key in ("points", "evaluations") for value in (None, 3, {}, [3], [[]], "x")),
    *((("history", "points"), [{"iteration": v, "loss": 1.0}]) for v in [*NO_NUMBERS, 1.5]),
    *((("history", "points"), [{"iteration": 1, "loss": v}]) for v in NO_NUMBERS if v != -1),
    *((("history", "points"), [one]) for one in ({}, {"iteration": 1}, {"loss": 1.0})),
    *((("history", "evaluations"), [{"iteration": 1, "CIDEr": value}]) for value in NO_NUMBERS),
    (("history", "evaluations"), [{"CIDEr": 1.0}]),
    (("metrics", "mAP"), 5.0),
    (("metrics", "\x1b[2J"), 5.0),
]


@pytest.mark.parametrize("value", [0.0, 77.6, 100.1, 1000.0])
def test_cider_is_ten_times_a_hundred_percent_at_most(small, value):
    run = small.run("nic_coco", "cutmix")
    small.sign(run, metrics={"CIDEr": value})
    [found] = [one for one in read(small.plan) if one.name == "nic_coco cutmix p0s0"]
    assert found.record["metrics"] == {"CIDEr": value}


def test_a_value_of_another_type_is_one_line_with_its_key(small):
    """Whoever wrote it: its hash fits."""
    run = small.run("nic_coco", "baseline")
    before = Path(run.record).read_text()
    for place, value in PLACES:
        record = json.loads(before)
        part = record
        for key in place[:-1]:
            part = part.setdefault(key, {})
        part[place[-1]] = value
        Path(run.record).write_text(json.dumps(record | {"sha256": record_digest(record)}))
        text = line(read, small.plan)
        assert text.startswith(f"{run.record}: {place[0]}"), (place, value)
        assert text.isprintable()


@pytest.mark.parametrize(
    ("key", "values"), [("recipe", NO_OBJECTS), ("data", NO_OBJECTS), ("workers", [*NO_NUMBERS, 1.5])]
)
def test_a_config_of_another_type_is_one_line_with_its_key(small, key, values):
    run = small.run("nic_coco", "baseline")
    path = Path(run.record).with_name("config.json")
    config = json.loads(path.read_text())
    for value in values:
        path.write_text(json.dumps(config | {key: value}))
        small.sign(run)
        assert line(read, small.plan).startswith(f"{path}: {key} is "), value


def test_depth_is_one_line(small):
    path = folder_of(small) / "metrics.json"
    for depth in (200_000, 990, 900):
        path.write_text('{"a":' * depth + "1" + "}" * depth)
        assert refused(small).startswith(f"{path}: not ")
    record = json.loads(Path(small.run("nic_coco", "baseline").record).read_text())
    for depth in (900, 960, 975, 985, 990):
        deep = f'"protocol": {{"deep": {"[" * depth}{"]" * depth},'
        path.write_text(json.dumps(record).replace('"protocol": {', deep))
        assert refused(small).startswith(f"{path}: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
QUIET = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.data())
@QUIET
def test_any_value_anywhere_is_shown_or_one_line(small, data):
    """In a record whose hash fits: whatever passes can be written as tables and pages."""
    run = small.run("nic_coco", "baseline")
    before = Path(run.record).read_text()
    record = json.loads(before)
    part = record
    while True:
        key = data.draw(st.sampled_from(sorted(part)))
        if not isinstance(part[key], dict) or not part[key] or data.draw(st.booleans()):
            break
        part = part[key]
    part[key] = data.draw(JSON)
    try:
        Path(run.record).write_text(json.dumps(record | {"sha256": record_digest(record)}))
        line(everything, small)
    finally:
        Path(run.record).write_text(before)


@given(noise=st.binary(max_size=40), start=st.integers(0, 4000), length=st.integers(0, 4000))
@QUIET
@pytest.mark.parametrize("name", ["metrics.json", "config.json", "per_image.npz"])
def test_any_bytes_give_the_right_number_or_one_line(small, name, noise, start, length):
    file = folder_of(small) / name
    before = file.read_bytes()
    file.write_bytes(before[:start] + noise + before[start + length :])
    try:
        text = line(read, small.plan)
        if text:
            assert text.startswith(f"{folder_of(small)}/")
        else:
            (found,) = [one for one in read(small.plan) if one.path.parent == folder_of(small)]
            assert (found.status, found.record["metrics"]) == ("done", {"CIDEr": 50.0})
    finally:
        file.write_bytes(before)
