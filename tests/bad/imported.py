"""Files that the door of imported backbones (`python -m pretrain import_backbone`) refuses, and other folders."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bad.cases import Case, Damage, read_only, several, write
from tests.bad.images import image
from tests.bad.other_files import AT, FILE, OTHER_FILES


class Call:
    """Pickled as a call of a function."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> tuple:
        return self.parts


def saved(content: Callable[[Any], Any]) -> Damage:
    """What torch.save writes of it; torch is slow to import, and the page does without."""

    def damage(root: Path) -> None:
        import torch

        torch.save(content(torch), root / FILE)

    return damage


def broken_off(root: Path) -> None:
    """Half of a file."""
    saved(lambda torch: {"w": torch.rand(1000)})(root)
    (root / FILE).write_bytes((root / FILE).read_bytes()[:2000])


def compressed(root: Path) -> None:
    """A small zip that would unpack to more."""
    saved(lambda torch: {"w": torch.zeros(10**5)})(root)
    (root / FILE).rename(root / "weights/plain.pth")
    with zipfile.ZipFile(root / "weights/plain.pth") as plain, zipfile.ZipFile(root / FILE, "w", 8) as small:
        for name in plain.namelist():
            small.writestr(name, plain.read(name))


def resnet18(torch: Any) -> dict[str, Any]:
    """The keys of another network, each with little under it."""
    from torchvision.models import resnet18

    return {key: value[:1] for key, value in resnet18().state_dict().items() if value.ndim}


def resnet50(torch: Any) -> dict[str, Any]:
    """Nothing wrong with it."""
    from torchvision.models import resnet50

    return resnet50().state_dict()


def convnext(torch: Any) -> dict[str, Any]:
    """A network of another library, under a training script's prefix."""
    from timm import create_model

    return {f"module.{key}": value for key, value in create_model("convnext_atto", num_classes=3).state_dict().items()}


def parameters(torch: Any) -> dict[str, Any]:
    """As `dict(model.named_parameters())` has them."""
    return {key: value for key, value in resnet50(torch).items() if "running" not in key and value.ndim}


def two_encoders(torch: Any) -> dict[str, Any]:
    """Of one network, with other numbers."""
    one = resnet50(torch)
    return {f"encoder_{name}.{key}": value + n for n, name in enumerate("qk") for key, value in one.items()}


def detectron2(root: Path) -> None:
    """Arrays of numpy in a bare pickle, and what would run code if it were opened."""
    import numpy as np

    model = {"model": {"stem.conv1.weight": np.zeros((64, 3, 7, 7), "float32")}, "__author__": "somebody"}
    write(FILE, pickle.dumps({**model, "x": Call(os.system, "touch ran")}, protocol=2))(root)


def lying(root: Path) -> None:
    """A header that promises more than the file has."""
    header = b'{"w":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'
    (root / FILE).write_bytes(len(header).to_bytes(8, "little") + header + bytes(20))


IMPORTED = [
    *OTHER_FILES,
    Case("a file that broke off", f"{AT}: the file broke off, after 2,000 bytes: its archive has no end; …",
         broken_off),
    Case("a compressed zip", f"{AT}: a compressed zip, and no file of torch.save", compressed),
    Case("a pickle that would run code",
         f"{AT}: its pickle asks for posix.system, which is neither a tensor nor plain data; nothing of it was run. …",
         saved(lambda torch: {"w": Call(os.system, "touch ran")})),
    Case("a bare pickle that would run code", f"{AT}: …",
         lambda root: (root / FILE).write_bytes(pickle.dumps(Call(os.system, "touch ran"), protocol=2))),
    Case("safetensors with a header that lies", f"{AT}: cannot be read as safetensors: …",
         lying),
    Case("a list", f"{AT}: not a state dict: it holds list and no names", saved(lambda torch: [1, 2])),
    Case("a mapping without tensors", f"{AT}: not a state dict: under epoch there is no tensor",
         saved(lambda torch: {"epoch": 3})),
    Case("a detectron2 model (.pkl)", f"{AT}: a pickle of detectron2, and no file of torch.save; … Convert it …",
         detectron2),
    Case("a query and a key encoder", f"{AT}: it has 2 full sets of a ResNet-50's weights (encoder_q, encoder_k), and "
         "nothing says which one is meant: name it, as in `checkpoint_key: encoder_q`", saved(two_encoders)),
    Case("a ResNet-50's parameters without batch norm's statistics",
         f"{AT}: it has all parameters of a ResNet-50, but no running statistics of batch norm (running_mean, …: save "
         "model.state_dict(), which holds them, instead of the parameters only. A network with GroupNorm has none …",
         saved(parameters)),
    Case("a ResNet-18 in a training checkpoint",
         f"{AT} is not torchvision's ResNet-50, but looks like a ResNet-18 (2, 2, 2, 2 blocks instead …",
         saved(lambda torch: {"loss": torch.ones(()), "net": resnet18(torch)})),
    Case("a ConvNeXt", f"{AT} is not torchvision's ResNet-50, but looks like timm/convnext_atto (declare `network: "
         "timm/convnext_atto`): it lacks conv1.weight (…)", saved(convnext)),
    Case("a ResNet-18", f"{AT} is not torchvision's ResNet-50, but looks like a ResNet-18 (2, 2, 2, 2 blocks instead …",
         saved(resnet18)),
    Case("a state on a read-only disk", ".work/x…: Read-only file system",
         several(saved(resnet50), read_only(".work"))),
    Case("a backbone on a read-only disk", "…results/backbones: Read-only file system",
         several(saved(resnet50), read_only("results"))),
]  # fmt: skip

PHOTOS = [
    Case("no such folder", "objects: not a folder of objects: train/<class>/ and val/<class>/, two classes at least",
         lambda root: (root / "objects").rename(root / "elsewhere")),
    Case("a class without a PNG", "objects/val/cat: no PNG image of an object",
         lambda root: (root / "objects/val/cat/0.png").rename(root / "objects/val/cat/0.jpg")),
    Case("a photo that is none", "objects/train/cat/0.png: the image cannot be decoded: no known image format",
         write("objects/train/cat/0.png", "<html>404</html>")),
    Case("a photo of 20,000 × 20,000 px",
         "objects/train/cat/0.png: the image cannot be decoded: Image size (400000000 …",
         image("objects/train/cat/0.png", (20_000, 20_000), "PNG", "1")),
    Case("a file where the data are to be made", "results/data: Not a directory", write("results")),
    Case("data to be made on a read-only disk", "results/data/…: Read-only file system", read_only("results/data")),
]  # fmt: skip

FETCHED = [
    Case("a folder without the archives", "archives/VOCtrainval_06-Nov-2007.tar: the archive is missing; data.voc…",
         lambda root: None),
    Case("another file under an archive's name",
         "archives/VOCtrainval_06-Nov-2007.tar: not the official file: its … is …, … publishes …",
         lambda root: [write(f"archives/{name}", "x")(root) for name in (
             "VOCtest_06-Nov-2007.tar", "VOCtrainval_06-Nov-2007.tar", "VOCtrainval_11-May-2012.tar")]),
]  # fmt: skip

WEIGHTS = [
    Case("a name that the library does not have",
         "checkpoint timm:convnext_atto.d3_in1k: timm publishes no weights of this name; did you mean …",
         lambda root: None),
]  # fmt: skip

TINY = [
    Case("another folder", "tiny-imagenet-200/train/n01944390/n01944390_boxes.txt: No such file or directory; is the …",
         lambda root: None),
    Case("a list of boxes in Latin-1", "tiny-imagenet-200/train/n01944390/n01944390_boxes.txt: not UTF-8 text: …",
         write("tiny-imagenet-200/train/n01944390/n01944390_boxes.txt", b"\xe9\n")),
    Case("a line that is no box",
         "tiny-imagenet-200/train/n01944390/n01944390_boxes.txt:1: not a file name and a box: a.JPEG 1 2 3",
         write("tiny-imagenet-200/train/n01944390/n01944390_boxes.txt", "a.JPEG 1 2 3\n")),
    Case("a blank line", "tiny-imagenet-200/train/n01944390/n01944390_boxes.txt:1: not a file name and a box: ",
         write("tiny-imagenet-200/train/n01944390/n01944390_boxes.txt", "\n")),
]  # fmt: skip
