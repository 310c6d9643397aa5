"""What is odd is counted and decoded, what is broken is a fault, what is known is not looked at again."""

import io
import multiprocessing
import os
import sqlite3
import stat
import time
import warnings
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from backbones.images import decode
from workflow.core.errors import UserError
from workflow.data.validation import image_scan
from workflow.data.validation.errors import ErrorList, fingerprint
from workflow.data.validation.image_cache import ImageCache
from workflow.data.validation.image_scan import inspect_image, look_at_all


def image(mode: str = "RGB", size: tuple[int, int] = (200, 120), form: str = "JPEG", **options) -> bytes:
    """A picture, red on the left and noise on the right, in some mode and format."""
    picture = Image.effect_noise(size, 80).convert("RGB")
    picture.paste((200, 40, 30), (0, 0, size[0] // 2, size[1]))
    buffer = io.BytesIO()
    picture.convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def ycck() -> bytes:
    """A JPEG in Adobe's YCCK: the planes of the negative in YCbCr and a black one, declared so in Adobe's segment.

    Pillow writes the four planes of a CMYK picture inverted and otherwise as they are, so they are made to be YCCK.
    """
    negative = Image.new("RGB", (200, 120), (255 - 200, 255 - 40, 255 - 30))
    planes = [ImageChops.invert(plane) for plane in negative.convert("YCbCr").split()]
    black = Image.new("L", negative.size, 0)
    buffer = io.BytesIO()
    Image.merge("CMYK", [*planes, black]).save(buffer, "JPEG", quality=95)
    data = bytearray(buffer.getvalue())
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def broken_exif() -> bytes:
    """A JPEG whose EXIF points far behind its end."""
    entry = b"\x01\x1a\x00\x05\x00\x00\x00\x01\x00\xff\xff\xff"  # XResolution, a fraction, lies nowhere
    return image(exif=b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry)


ODD = {
    "CMYK": image("CMYK"),
    "YCCK": ycck(),
    "PNG named JPEG": image(form="PNG"),
    "BMP named JPEG": image(form="BMP"),
    "with broken EXIF": broken_exif(),
    "": image("L"),
}


@pytest.mark.parametrize("kind", ODD)
def test_real_sets_oddities_are_told_and_decoded_to_rgb(kind, tmp_path):
    path = tmp_path / "x.JPEG"
    path.write_bytes(ODD[kind])
    found = inspect_image(str(path))
    assert (found.width, found.height, found.oddity) == (200, 120, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = decode(str(path)).float()
    assert tuple(pixels.shape) == (3, 120, 200)
    if kind:
        red, green, blue = pixels[:, 20:100, 20:80].mean((1, 2)).tolist()
        assert abs(red - 200) < 30
        assert max(green, blue) < 80, "neither inverted nor grey"


def test_oddities_are_counted_in_one_line(tmp_path, capsys):
    for number in range(3):
        (tmp_path / f"{number}.JPEG").write_bytes(ODD["CMYK"])
    (tmp_path / "x.JPEG").write_bytes(ODD["PNG named JPEG"])
    paths = sorted(tmp_path.iterdir())
    for memory in (ImageCache(tmp_path / "new/folder/m", tmp_path), ImageCache(tmp_path / "new/folder/m", tmp_path)):
        look_at_all(paths, "checking", ErrorList(), memory)
        assert "checking: 3 CMYK, 1 PNG named JPEG: odd, but no fault" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty (0 bytes)"),
        (b"<html>not found</html>", "cannot be decoded: no known image format"),
        (image()[: len(image()) // 2], "cannot be decoded: image file is truncated"),
        (image()[:-60], "cannot be decoded: image file is truncated"),
        (image(form="PNG")[:-60], "cannot be decoded"),
        (None, "cannot be decoded: [Errno 2] No such file"),
    ],
    ids=["empty", "a web page", "half a JPEG", "a JPEG without its end", "a PNG without its end", "a dead link"],
)
def test_broken_images_are_faults_with_their_path(data, message, tmp_path):
    path, good, faults = tmp_path / "x.jpg", tmp_path / "good.jpg", ErrorList()
    path.symlink_to("nowhere") if data is None else path.write_bytes(data)
    good.write_bytes(image())
    assert list(look_at_all([path, good, good], "test", faults, ImageCache(None, tmp_path))) == [good]
    with pytest.raises(UserError) as error:
        faults.raise_if_any()
    assert str(error.value).startswith(f"{path}: the image ")
    assert message in str(error.value)


@pytest.fixture
def folder(tmp_path):
    """Five images in two folders, one of them broken."""
    for number in range(5):
        path = tmp_path / "root" / f"class{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image(size=(60 + number, 40)))
    (tmp_path / "root/class0/0.jpg").write_bytes(b"broken")
    return tmp_path


@pytest.fixture
def check(folder, monkeypatch):
    """Look at the folder; returns (what was found, the names that were read, the faults' lines)."""
    calls, real = [], image_scan._look_at

    def counted(new, bar, threads):
        calls.append(sorted(Path(path).name for path, _ in new))
        return real(new, bar, threads)

    monkeypatch.setattr(image_scan, "_look_at", counted)

    def call(memory="memory"):
        faults, file = ErrorList(), memory and folder / memory
        paths = sorted((folder / "root").rglob("*.jpg"))
        return look_at_all(paths, "test", faults, ImageCache(file, folder / "root")), calls.pop(), faults.lines()

    return call


def test_a_second_check_looks_at_what_is_faulty_new_or_changed(check, folder):
    assert check()[1] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    assert check()[1] == ["0.jpg"]
    changed, same_size = folder / "root/class1/1.jpg", folder / "root/class1/3.jpg"
    changed.write_bytes(image(size=(99, 99)))
    times = same_size.stat()
    os.utime(same_size, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    (folder / "root/class1/new.jpg").write_bytes(image())
    found, read, _ = check()
    assert read == ["0.jpg", "1.jpg", "3.jpg", "new.jpg"]
    assert found[changed].width == 99
    (folder / "root/class0/0.jpg").write_bytes(image())
    assert check()[1:] == (["0.jpg"], [])
    assert check()[1] == []


def test_another_file_of_the_same_size_and_time_is_looked_at(check, folder):
    check()
    path = folder / "root/class1/3.jpg"
    times, data = path.stat(), path.read_bytes()
    path.write_bytes(data[:-3] + b"?" + data[-2:])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert check()[1] == ["0.jpg", "3.jpg"]


@pytest.mark.parametrize("threads", [1, 3, None])
def test_it_looks_on_as_many_cores_as_it_is_given(threads, folder, monkeypatch):
    given = []

    class Pool(image_scan.ProcessPoolExecutor):
        def __init__(self, workers, **options):
            given.append(workers)
            super().__init__(workers, **options)

    monkeypatch.setattr(image_scan, "ProcessPoolExecutor", Pool)
    paths = sorted((folder / "root").rglob("*.jpg"))
    assert len(look_at_all(paths, "test", ErrorList(), ImageCache(None, folder), threads)) == 4
    assert given == [threads or len(os.sched_getaffinity(0))]


def test_with_and_without_memory_the_result_is_the_same(check, folder):
    without, first, second = check(memory=None), check(), check()
    assert without[0] == first[0] == second[0]
    assert list(without[0]) == list(second[0]), "in the same order"
    assert without[2] == first[2] == second[2]
    assert len({fingerprint(folder / "root", found, {}) for found, _, _ in (without, first, second)}) == 1


def test_paths_are_remembered_relative_to_their_root(check, folder):
    check()
    (folder / "root").rename(folder / "elsewhere")
    paths = sorted((folder / "elsewhere").rglob("*.jpg"))
    remembered = [x for _, _, x in ImageCache(folder / "memory", folder / "elsewhere").split(map(str, paths))]
    assert [x is None for x in remembered] == [True, False, False, False, False]


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\x00" + bytes(4000)])
def test_a_damaged_memory_is_thrown_away(content, check, folder, capsys):
    check()
    (folder / "memory").write_bytes(content)
    assert len(check()[1]) == 5
    assert f"warning: {folder / 'memory'}: thrown away, every image is looked at again: " in capsys.readouterr().out
    assert check()[1] == ["0.jpg"]


def test_a_memory_of_another_format_is_not_used(check, folder):
    check()
    with sqlite3.connect(folder / "memory") as connection:
        connection.execute("PRAGMA user_version = 0")
    assert len(check()[1]) == 5
    assert check()[1] == ["0.jpg"]


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o027, 0o640)])
def test_whoever_the_umask_lets_may_add_to_the_memory(umask, mode, check, folder):
    before = os.umask(umask)
    try:
        check()
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "memory").stat().st_mode) == mode
    assert check()[1] == ["0.jpg"], "the faulty one"


def test_where_nothing_can_be_written_the_check_goes_on(check, folder, capsys):
    (folder / "memory").mkdir()
    assert len(check()[0]) == 4
    assert f"warning: {folder / 'memory'}: what was checked cannot be remembered: " in capsys.readouterr().out


def test_what_was_checked_before_an_interruption_is_kept(check, folder, monkeypatch):
    monkeypatch.setattr(image_scan, "TOGETHER", 2)
    real = ImageCache.keep

    def stopped(self, found):
        real(self, found)
        raise KeyboardInterrupt

    monkeypatch.setattr(ImageCache, "keep", stopped)
    with pytest.raises(KeyboardInterrupt):
        check()
    monkeypatch.setattr(ImageCache, "keep", real)
    assert check()[1] == ["0.jpg", "1.jpg", "3.jpg", "4.jpg"]


def slowly(path):
    """In the place of `inspect_image`: a dot for each call."""
    with Path(path).with_name("looked").open("a") as file:
        file.write(".")
    time.sleep(0.01)
    return "broken"


@pytest.mark.parametrize(("owner", "method"), [(ImageCache, "keep"), (image_scan.ProcessPoolExecutor, "submit")])
def test_an_interrupted_check_leaves_the_rest_and_nobody_who_looks(owner, method, tmp_path, monkeypatch):
    """While results are kept; while the last of the work is given out."""
    real, calls, last = getattr(owner, method), [], {"keep": 1, "submit": 60}[method]

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == last:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(image_scan, "inspect_image", slowly)
    monkeypatch.setattr(image_scan, "TOGETHER", 1)
    monkeypatch.setattr(owner, method, interrupted)
    paths = [tmp_path / f"{number}.jpg" for number in range(60 * 32)]
    with pytest.raises(KeyboardInterrupt) as error:
        look_at_all(paths, "test", ErrorList(), ImageCache(None, tmp_path), 2)
    assert error.traceback, "which keeps alive what was at work, as a process does that ends with an error"
    assert not multiprocessing.active_children()
    looked = tmp_path / "looked"
    assert not looked.exists() or len(looked.read_text()) < len(paths) / 2
