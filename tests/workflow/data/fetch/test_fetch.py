"""What `snakemake data` calls: official archives come to the root, whole and once; what is there stays as it is."""

import contextlib
import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from tests.waiting import PATIENCE
from tests.workflow.data.conftest import below, tar_of
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data import voc as voc_set
from workflow.data.fetch.download import RetryPolicy
from workflow.data.fetch.fetch import fetch, fetch_count, is_incomplete, official
from workflow.data.fetch.locking import one_at_a_time
from workflow.registry import datasets

HASTE = RetryPolicy(timeout=1, tries=2, wait=0.01)


@pytest.fixture
def get_voc(server, voc_archives, voc_sources, tmp_path):
    """Fetch VOC from the server to tmp_path/VOCdevkit."""
    server.files |= voc_archives

    def call(sources=voc_sources, check=None, **section):
        section = {"root": "x", "classes": "voc", "source": f"{server.url}/"} | section
        return fetch("voc", section, tmp_path / "VOCdevkit", sources, HASTE, check)

    return call


def test_the_official_sources_are_complete():
    for name in set(datasets()) - {"image_folder"}:
        for source in official(name):
            assert source.published_by, source.file
            assert len(source.md5 or source.sha256) == (32 if source.md5 else 64)
            assert source.gives
            assert (source.url is None) == source.file.startswith("ILSVRC2012_img"), "of registered users only"
            assert source.url is None or source.url.endswith(f"/{source.file}")
            assert source.bytes is None or source.bytes > 1e7
    assert [source.file for source in official("coco") if source.where] == ["caption_datasets.zip"]
    assert sum(n for source in official("voc") for n in source.gives.values()) == 5011 + 4952 + 11540


def test_the_archives_of_a_set_are_those_of_its_layout(tmp_path):
    (tmp_path / "x/train2014").mkdir(parents=True)
    mine = {"layout": "coco", "root": "x", "split": "2014"}
    assert fetch_count("mine", mine, tmp_path / "x", tmp_path / "record.json") == 1
    assert is_incomplete("mine", mine, tmp_path / "x")
    with pytest.raises(UserError, match=r"annotations_trainval2014\.zip: the archive is missing; data\.mine"):
        fetch("mine", mine | {"source": str(tmp_path)}, tmp_path / "x")
    with pytest.raises(UserError, match=rf"^data\.mine\.layout: must be {' or '.join(datasets())}, not mine$"):
        fetch("mine", {"root": "x"}, tmp_path / "x")
    assert official("none published") == []


def test_voc_comes_whole_and_passes_its_check(get_voc, voc, voc_archives, tmp_path):
    record = get_voc()
    root = tmp_path / "VOCdevkit"
    came = below(root)
    assert json.loads(came.pop("fetched.json")) == record["archives"]
    assert came == below(voc.root), "and no archive and nothing half-done is left"
    section = {"root": "x", "classes": voc_set.classes(voc.section)}
    assert voc_set.check(section, root).fingerprint == DatasetInfo.read(voc.check).fingerprint
    entry = record["archives"]["VOCtest_06-Nov-2007.tar"]
    data = voc_archives["VOCtest_06-Nov-2007.tar"]
    assert (entry["bytes"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert entry["published_by"].startswith("torchvision")


def test_what_is_there_is_not_asked_for_again(get_voc, server, tmp_path):
    first = get_voc()
    asked = len(server.asked)
    assert get_voc() == first
    assert len(server.asked) == asked == 3
    shutil.rmtree(tmp_path / "VOCdevkit/VOC2012")
    get_voc()
    assert [path for path, _ in server.asked[asked:]] == ["/VOCtrainval_11-May-2012.tar"]


def test_a_set_that_was_there_before_is_not_touched(get_voc, server, voc, tmp_path):
    root, check = shutil.copytree(voc.root, tmp_path / "VOCdevkit"), tmp_path / "check.json"
    before = below(root)
    check.touch()
    assert set(get_voc(check=check)["archives"].values()) == {"in place"}
    assert (below(root), server.asked) == (before, [])
    assert check.exists()


def test_the_check_of_a_set_is_gone_before_anything_is_put_in_place(get_voc, server, tmp_path):
    check = tmp_path / "check.json"
    for fails in (True, False):
        check.touch()
        server.faults = [{}, {"status": 404}] if fails else []
        with pytest.raises(UserError) if fails else contextlib.nullcontext():
            get_voc(check=check)
        assert (tmp_path / "VOCdevkit/VOC2007").is_dir()
        assert not check.exists()


def test_a_set_that_is_not_the_official_one_is_left_alone(get_voc, server, voc, tmp_path, capsys):
    root = shutil.copytree(voc.root, tmp_path / "VOCdevkit")
    shutil.rmtree(root / "VOC2012")
    listed = root / "VOC2007/ImageSets/Main/trainval.txt"
    listed.write_text("".join(listed.read_text().splitlines(keepends=True)[1:]))
    (root / ".fetch").mkdir()
    (root / ".fetch/VOCtrainval_11-May-2012.tar.part").write_bytes(b"half of it")
    (root / "fetched.json").write_text(
        '{"VOCtest_06-Nov-2007.tar": {"source": "a"}, "VOCtrainval_11-May-2012.tar": {}}'
    )
    before = below(root)
    record = get_voc()
    assert list(record["archives"].values()) == ["in place", {"source": "a"}, "not fetched"]
    assert (below(root), server.asked) == (before, []), "nor is what has come of an archive thrown away"
    assert "not the official set, so nothing is fetched: VOC2007/ImageSets/Main/trainval.txt: 7, not 8" in (
        capsys.readouterr().out
    )


def test_a_download_that_was_stopped_goes_on(get_voc, server, voc_sources, tmp_path):
    server.faults = [{"cut": 5000}, {"status": 500}, {"status": 500}]
    with pytest.raises(UserError, match=r"500 Internal Server Error \(2 tries\)"):
        get_voc()
    assert not (tmp_path / "VOCdevkit/VOC2007").exists()
    get_voc()
    assert server.asked[3] == ("/VOCtrainval_06-Nov-2007.tar", "bytes=5000-")


def test_a_wrong_file_is_refused_and_removed(get_voc, server, voc_sources, tmp_path):
    right = server.files["VOCtest_06-Nov-2007.tar"]
    server.files["VOCtest_06-Nov-2007.tar"] = bytes(len(right))
    with pytest.raises(UserError) as caught:
        get_voc()
    where, wrong = f"{server.url}/VOCtest_06-Nov-2007.tar", hashlib.sha256(bytes(len(right))).hexdigest()
    official = f"torchvision (datasets/voc.py) publishes {voc_sources[1].sha256}"
    assert str(caught.value) == f"{where}: not the official file: its sha256 is {wrong}, {official}"
    assert not list(tmp_path.rglob("VOCtest*"))
    server.files["VOCtest_06-Nov-2007.tar"] = right
    get_voc()
    assert [path for path, _ in server.asked].count("/VOCtrainval_06-Nov-2007.tar") == 1


def test_without_a_published_checksum_our_own_is_recorded_as_such(get_voc, voc_sources):
    sources = [dataclasses.replace(source, sha256=None, published_by=None) for source in voc_sources]
    entry = get_voc(sources)["archives"]["VOCtest_06-Nov-2007.tar"]
    assert entry["sha256"] == voc_sources[1].sha256
    assert entry["published_by"] == "none is published; the sha256 is our own, recorded at first download"


def test_an_archive_that_lacks_images_is_refused(get_voc, voc_sources, tmp_path):
    sources = [dataclasses.replace(source, gives=dict.fromkeys(source.gives, 5)) for source in voc_sources]
    with pytest.raises(UserError, match=r"does not hold what it should: VOC2007/ImageSets/Main/trainval.txt: 8, not 5"):
        get_voc(sources)
    assert not (tmp_path / "VOCdevkit/VOC2007").exists()


@pytest.mark.parametrize("evil", [tar_of({"../evil": b""}), tar_of({"/evil": b""}), tar_of({}, link="/etc/passwd")])
def test_an_archive_that_leads_outside_is_refused(evil, get_voc, server, voc_sources, tmp_path):
    server.files["VOCtrainval_06-Nov-2007.tar"] = evil
    first = dataclasses.replace(voc_sources[0], sha256=None, bytes=None)
    with pytest.raises(UserError, match=r"VOCtrainval_06-Nov-2007.tar: refused: "):
        get_voc([first, *voc_sources[1:]])
    assert [path.name for path in tmp_path.iterdir()] == ["VOCdevkit"]


def test_unpacking_needs_room(get_voc, monkeypatch):
    free = iter([1_000_000_000, 1000])  # before the download, and after it
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    with pytest.raises(UserError, match=r"unpacking VOCtrainval_06-Nov-2007.tar needs 0.0 GB, the disk has 0.0 GB"):
        get_voc()


def test_what_was_unpacked_and_not_yet_in_place_is_put_there(get_voc, server, voc, tmp_path):
    get_voc()
    work = tmp_path / "VOCdevkit/.fetch/VOCtest_06-Nov-2007.tar.unpacked"
    moved = list((tmp_path / "VOCdevkit/VOC2007").rglob("000002.*"))
    assert len(moved) == 2
    for path in moved:
        place = work / path.relative_to(tmp_path / "VOCdevkit")
        place.parent.mkdir(parents=True)
        path.rename(place)
    asked = len(server.asked)
    get_voc()
    assert below(tmp_path / "VOCdevkit", "").keys() - {"fetched.json"} == below(voc.root).keys()
    assert len(server.asked) == asked


def test_no_file_of_the_user_is_replaced(get_voc, tmp_path):
    mine = tmp_path / "VOCdevkit/VOC2007/JPEGImages/000001.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(UserError, match=r"000001.jpg: exists and is not that of the archive; move it away"):
        get_voc()
    assert mine.read_bytes() == b"mine"


@pytest.mark.parametrize("split", ["2014", "karpathy"])
def test_coco_comes_from_a_folder_whose_archives_stay(split, coco, coco_archives, coco_sources, tmp_path):
    folder, root = tmp_path / "archives", tmp_path / "coco"
    folder.mkdir()
    for name, data in coco_archives.items():
        (folder / name).write_bytes(data)
    record = fetch("coco", {"root": "x", "split": split, "source": str(folder)}, root, coco_sources)
    came = below(root)
    assert json.loads(came.pop("fetched.json")) == record["archives"]
    expected = below(coco.root)
    if split == "2014":
        expected.pop("annotations/dataset_coco.json")
    assert came == expected
    assert below(folder) == coco_archives
    (folder / "val2014.zip").unlink()
    shutil.rmtree(root / "val2014")
    with pytest.raises(UserError, match=r"archives/val2014.zip: the archive is missing; data.coco.source names this"):
        fetch("coco", {"root": "x", "split": split, "source": str(folder)}, root, coco_sources)


def test_the_command_line(voc, tmp_path):
    command = [sys.executable, "-m", "workflow.data.fetch.fetch", "voc", "--root", str(voc.root), "--dataset-config"]
    strange = subprocess.run([*command, '{"root": "x"}'], capture_output=True, text=True)
    assert strange.returncode == 0, strange.stderr
    assert "so nothing is fetched: " in strange.stdout
    bad = subprocess.run([*command, '{"synthetic": {}}'], capture_output=True, text=True)
    assert bad.returncode == 1
    assert bad.stderr == "error: data.voc: it has no root; synthetic data are drawn, not fetched\n"
    (tmp_path / "file").touch()
    command = [*command[:4], "--root", str(tmp_path / "file"), "--dataset-config", '{"root": "x"}']
    bad = subprocess.run(command, capture_output=True, text=True)
    assert bad.stderr == f"error: {tmp_path / 'file/.fetch'}: Not a directory\n"


@pytest.mark.parametrize("folder", ["train", "JPEGImages", "lost+found"])
def test_nothing_is_put_beside_another_set(get_voc, tmp_path, capsys, folder):
    """A folder with images and XML side by side is read as a set of VOC; the official one does not belong into it."""
    root = tmp_path / "VOCdevkit"
    (root / folder).mkdir(parents=True)
    record = get_voc()
    if folder == "lost+found":
        assert (root / "VOC2007").is_dir()
    else:
        assert set(record["archives"].values()) == {"not fetched"}
        assert [path.name for path in root.iterdir()] == [folder]
        assert f"holds {folder} and nothing of the official set, so nothing is fetched" in capsys.readouterr().out


def test_two_sets_of_one_root_are_fetched_one_after_the_other(tmp_path):
    """The second begins when the first is done."""
    seen, root = [], tmp_path / "data/set"

    def second():
        with one_at_a_time(root):
            seen.append("second")

    with one_at_a_time(root):
        other = threading.Thread(target=second)
        other.start()
        other.join(0.2)
        seen.append("first")
    other.join(PATIENCE)
    assert seen == ["first", "second"]
    assert [path.name for path in root.parent.iterdir()] == [], "nothing is left"
