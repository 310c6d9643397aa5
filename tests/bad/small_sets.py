"""Sets of small images in few files, and folders of one's own."""

import gzip
import shutil
from pathlib import Path

from tests.bad.cases import Case, Damage, append, circle, cut, several, write
from tests.bad.sets import FETCH

TEN, FASHION, OWN = "data/cifar10", "data/fashion_mnist", "data/image_folder"
HUNDRED = "data/cifar100"
GREY, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def byte(path: str, place: int, value: int) -> Damage:
    """Another value at a place of a file."""

    def damage(root: Path) -> None:
        content = bytearray((root / path).read_bytes())
        content[place] = value
        (root / path).write_bytes(content)

    return damage


def unpacked(path: str, change: Damage) -> Damage:
    """Change an IDX file, which is then no longer compressed."""

    def damage(root: Path) -> None:
        (root / path).write_bytes(gzip.decompress((root / f"{path}.gz").read_bytes()))
        (root / f"{path}.gz").unlink()
        change(root)

    return damage


def as_pickles(root: Path) -> None:
    """The python archive's files instead."""
    for path in root.glob("*.bin"):
        path.with_suffix("").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
        path.unlink()


def test_in_train(root: Path) -> None:
    """A training image is a test image too."""
    record = (root / "data_batch_2.bin").read_bytes()[:3073]
    (root / "test_batch.bin").write_bytes((root / "test_batch.bin").read_bytes() + record)


CIFAR10 = [
    Case("no such root", f"{TEN}: the folder of CIFAR-10 is missing; {FETCH}", shutil.rmtree),
    Case("a truncated file", f"{TEN}/data_batch_2.bin: 12,282 bytes are not whole records of 3,073 bytes: it is …",
         cut("data_batch_2.bin", 10)),
    Case("an empty file", f"{TEN}/test_batch.bin: 0 bytes are not whole records of 3,073 bytes: it is …",
         write("test_batch.bin")),
    Case("grey images", f"{TEN}/test_batch.bin: 8,200 bytes are not whole records of 3,073 bytes: it …",
         write("test_batch.bin", bytes(8 * 1025))),
    Case("CIFAR-100's records", f"{TEN}/test_batch.bin: 6,148 bytes are not whole records of 3,073 bytes: it …",
         write("test_batch.bin", bytes(2 * 3074))),
    Case("a file that is missing", f"{TEN}/data_batch_4.bin: the file is missing; {FETCH}",
         lambda root: (root / "data_batch_4.bin").unlink()),
    Case("the python archive, which is pickles", f"6 faults in the data: {TEN}/data_batch_1.bin: the file is missing; "
         f"data_batch_1 is of the python archive, a pickle, and is not opened; {FETCH}", as_pickles),
    Case("labels out of range", f"{TEN}/data_batch_1.bin: image 2 has label 4; there are 4 classes, from 0",
         byte("data_batch_1.bin", 3073, 4)),
    Case("no class names", f"{TEN}/batches.meta.txt: the file is missing; {FETCH}",
         lambda root: (root / "batches.meta.txt").unlink()),
    Case("a class name twice", f"{TEN}/batches.meta.txt: must have a class name a line, two at least and none twice",
         append("batches.meta.txt", "circle\n")),
    Case("class names that are no text", f"{TEN}/batches.meta.txt: not UTF-8 text: byte 0: invalid start byte",
         write("batches.meta.txt", b"\x80\x81")),
    Case("a test image that is trained on",
         f"{TEN}/test_batch.bin: 1 of its images are also used for training, the first is image 9", test_in_train),
    Case("a file that is a link to itself", f"{TEN}/data_batch_1.bin: the file is missing; {FETCH}",
         circle("data_batch_1.bin")),
]  # fmt: skip
CIFAR100 = [
    Case("a truncated file", f"{HUNDRED}/train.bin: 36,887 bytes are not whole records of 3,074 bytes: it …",
         cut("train.bin", 1)),
    Case("fine labels out of range", f"{HUNDRED}/test.bin: image 1 has label 100; there are 4 classes, from 0",
         byte("test.bin", 1, 100)),
]  # fmt: skip
IDX = [
    Case("no such root", f"{FASHION}: the folder of FashionMNIST is missing; {FETCH}", shutil.rmtree),
    Case("a file that is missing", f"{FASHION}/{GREY}: the file is missing, unpacked and as .gz; {FETCH}",
         lambda root: (root / f"{GREY}.gz").unlink()),
    Case("labels in place of images", f"{FASHION}/{GREY}.gz: its magic number is 2049, not 2051: no IDX file of images",
         lambda root: shutil.copy(root / f"{LABELS}.gz", root / f"{GREY}.gz")),
    Case("a truncated gzip", f"{FASHION}/{GREY}.gz: cannot be unpacked: Compressed file ended before …",
         cut(f"{GREY}.gz", 99)),
    Case("no gzip", f"{FASHION}/{LABELS}.gz: cannot be unpacked: Not a gzipped file (b'no')",
         write(f"{LABELS}.gz", b"no")),
    Case("a truncated file", f"{FASHION}/{GREY}: it has 15,691 bytes, and 20 × 28 × 28 values take 15,696",
         unpacked(GREY, cut(GREY, 5))),
    Case("an empty file", f"{FASHION}/{LABELS}: its magic number is 0, not 2049: no IDX file of labels",
         unpacked(LABELS, write(LABELS))),
    Case("fewer labels than images", f"{FASHION}/{LABELS}: 19 labels for the 20 images of {GREY}.gz",
         unpacked(LABELS, several(byte(LABELS, 7, 19), cut(LABELS, 1)))),
    Case("files of no image", f"{FASHION}/{LABELS}: there are 0 images",
         several(unpacked(GREY, write(GREY, bytes((0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28)))),
                 unpacked(LABELS, write(LABELS, bytes((0, 0, 8, 1, 0, 0, 0, 0)))))),
    Case("images in colour", f"{FASHION}/{GREY}: its magic number is 2052, not 2051: no IDX file of images",
         unpacked(GREY, byte(GREY, 3, 4))),
    Case("images of another size", f"{FASHION}/{GREY}: images of 14 x 28 px; those of FashionMNIST have 28 x 28 px",
         unpacked(GREY, several(byte(GREY, 7, 40), byte(GREY, 11, 14)))),
    Case("labels out of range", f"{FASHION}/{LABELS}: image 3 has label 11; there are 4 classes, from 0",
         unpacked(LABELS, byte(LABELS, 8 + 2, 11))),
]  # fmt: skip
FOLDERS = [
    Case("no such root", f"{OWN}: the folder is missing", shutil.rmtree),
    Case("no training images", f"{OWN}/train: the folder is missing", lambda root: shutil.rmtree(root / "train")),
    Case("neither test nor val", f"{OWN}/test: the folder is missing", lambda root: shutil.rmtree(root / "test")),
    Case("test images without class folders", f"{OWN}/test: there are no class folders; it holds 1 images that …",
         several(lambda root: shutil.rmtree(root / "test"), write("test/0.jpg"))),
    Case("a class that train lacks", f"{OWN}/test/class_09: train has no such class folder",
         lambda root: shutil.copytree(root / "test/class_00", root / "test/class_09")),
    Case("a truncated image", f"{OWN}/train/class_00/000000.jpg: the image cannot be decoded: image file is trunc…",
         cut("train/class_00/000000.jpg", 200)),
    Case("a test image that is trained on", f"{OWN}/test/class_00/1.jpg: the same image is used for training, as …",
         lambda root: shutil.copy(root / "train/class_00/000000.jpg", root / "test/class_00/1.jpg")),
    Case("a list of names without a name", f"{OWN}/LOC_synset_mapping.txt:5: a line must be a class folder and its "
         "names, not 'class_04'", append("LOC_synset_mapping.txt", "class_04\n")),
]  # fmt: skip
