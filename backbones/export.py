"""A published backbone as a folder that timm loads (`local-dir:`) and that the Hugging Face hub takes as it is:
`config.json`, `model.safetensors` and a model card; ONNX if asked for (docs/use_the_results.md)."""

import importlib.util
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from backbones.backbone import STRIDE, Preprocessing, load_weights, metadata, network_of
from backbones.model_card import WEIGHTS
from workflow.core.errors import UserError
from workflow.core.files import atomic, read_json

KEPT = ("input_size", "fixed_input_size", "pool_size", "first_conv", "classifier", "architecture")
USE = """## Use

```python
import timm, torch
from PIL import Image

network = timm.create_model("local-dir:.", pretrained=True).eval()  # on the hub: "hf-hub:<user>/<name>"
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
with torch.no_grad():
    output = network(transform(Image.open("photo.jpg").convert("RGB"))[None])
```

Feature maps: `features_only=True`; another classifier: `num_classes=10`. Input: RGB, mean {mean}, std {std} of pixels
in [0, 1]; shorter side to {resize} px, centre crop of {crop} px.
"""
BGR = "\nThe network was trained on BGR; the input channels of its first convolution were reversed for RGB.\n"
ONNX = "\n`model.onnx`: `images` (N, 3, {crop}, {crop}), prepared in the same way, to `{output}`; N is free.\n"


def export(folder: Path, out: Path, licence: str = "unknown", onnx: bool = False) -> None:
    """Write the folder `out` for timm and the hub; `config.json`, which makes it a model, last.

    Args:
        folder: of a published backbone: `backbone.safetensors`, `README.md`, `config.json`.
        out: folder to write.
        licence: of the weights, an identifier of the hub.
        onnx: write `model.onnx` too.

    Raises:
        UserError: `folder` is not a published backbone, timm does not have the network, or ONNX is not installed.
    """
    import safetensors.torch
    import torch
    from timm.models._hub import save_config_for_hf

    if onnx:
        require_onnx()
    recipe = read_json(folder / "config.json", "recipe")["recipe"]
    model, prepare = timm_model(folder / WEIGHTS)
    sizes = {"crop": recipe["crop_size"], "resize": recipe["val_resize_size"]}
    data = data_config(prepare, **sizes)
    names = metadata(folder / WEIGHTS).get("classes", [])
    model.pretrained_cfg = {key: value for key, value in model.pretrained_cfg.items() if key in KEPT}
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").unlink(missing_ok=True)
    with atomic(out / "model.safetensors") as temporary:
        temporary.write_bytes(safetensors.torch.save(model.state_dict(), {"format": "pt"}))
    if onnx:
        write_onnx(model, torch.zeros(2, *data["input_size"]), out / "model.onnx")
    use = USE.format(mean=data["mean"], std=data["std"], **sizes)
    use += BGR if metadata(folder / WEIGHTS)["channel_order"] == "BGR" else ""
    use += ONNX.format(output="logits" if model.num_classes else "features", **sizes) if onnx else ""
    with atomic(out / "README.md") as temporary:
        temporary.write_text(card(folder / "README.md", use, licence), encoding="utf-8")
    with atomic(out / "config.json") as temporary:
        save_config_for_hf(model, str(temporary), {"label_names": names}, data_config=data)


def timm_model(path: Path) -> tuple[Any, Preprocessing]:
    """A published backbone as timm's network in evaluation mode, and its preprocessing, always in RGB: of a network for
    BGR the first convolution's input channels are reversed. UserError if timm cannot express it."""
    import timm

    from backbones.timm_networks import any_size

    network, about = network_of(path), metadata(path)
    if "timm" not in network.libraries:
        raise UserError(f"{path}: timm does not have its network {network.name}; only timm's networks are exported")
    if about["stride"] != STRIDE:
        raise UserError(f"{path}: its stride is in the {about['stride']} convolution, where timm has none")
    weights, prepare = load_weights(path)
    classes = len(weights.get(f"{network.classifier}.weight", []))
    name = network.library_name
    model = timm.create_model(name, num_classes=classes, **any_size(name)).eval()
    if prepare.channel_order == "BGR":
        first = f"{model.pretrained_cfg['first_conv']}.weight"
        weights[first] = weights[first].flip(1)
        prepare = replace(prepare, channel_order="RGB", mean=prepare.mean[::-1], std=prepare.std[::-1])
    model.load_state_dict(weights)
    return model, prepare


def data_config(prepare: Preprocessing, crop: int, resize: int) -> dict[str, Any]:
    """The preprocessing of validation images in timm's terms: mean and std of pixels in [0, 1], and the share of the
    shorter side that is cropped, from which timm computes the side it scales to, rounded down."""
    share = crop / resize
    return {
        "input_size": (3, crop, crop),
        "mean": tuple(round(value / 255, 9) for value in prepare.mean),
        "std": tuple(round(value / 255, 9) for value in prepare.std),
        "interpolation": "bilinear",
        "crop_pct": share if math.floor(crop / share) == resize else math.nextafter(share, 0),
        "crop_mode": "center",
    }


def card(published: Path, use: str, licence: str) -> str:
    """The published backbone's card with timm's way to load it, as the hub reads it."""
    from huggingface_hub import ModelCard

    found = ModelCard.load(published)
    found.data.library_name, found.data.license = "timm", licence
    found.data.tags = list(dict.fromkeys([*(found.data.tags or []), "timm"]))
    found.text = re.sub(r"^## Use$.*?(?=^## Data$)", lambda _: use + "\n", found.text, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def require_onnx() -> None:
    """UserError, with the command that installs it, if torch cannot export to ONNX."""
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"--onnx needs {' and '.join(missing)}: pip install {' '.join(missing)}")


def write_onnx(model: Any, images: Any, path: Path) -> None:
    """One file by torch.export, for batches of any size; `images` (2, 3, H, W) is an example."""
    import torch

    batch = {"x": {0: torch.export.Dim("N")}}
    output = "logits" if model.num_classes else "features"
    with atomic(path) as temporary, torch.no_grad():
        torch.onnx.export(model, (images,), temporary, dynamo=True, dynamic_shapes=batch, external_data=False,
                          input_names=["images"], output_names=[output], verbose=False)  # fmt: skip
