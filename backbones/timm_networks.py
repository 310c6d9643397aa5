"""timm's networks: described from what timm says of them and from a pass without numbers, and built.

Building on the meta device and that pass take 0.02 to 0.4 s, importing torch and timm 5 s.
"""

import difflib
import functools
import inspect
from typing import Any, Literal

import timm
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from workflow.contracts import Block, Network, Stage
from workflow.core.errors import UserError

ANY_SIZE = {"strict_img_size": False, "dynamic_img_size": True, "dynamic_img_pad": True}  # for images of other sizes
OTHER = 32  # px that an image of another size has more: all networks halve it five times
FINEST = 4  # px: maps of a smaller stride are of no use to any task
ASIDE = {"se", "attn_last", "shortcut", "downsample"}  # in a block: what only weighs channels, and skip connections


@functools.cache
def describe(name: str) -> Network:
    """The declaration of a network of timm.

    Args:
        name: with the prefix of the family.

    Raises:
        UserError: if timm has no such model, or it is no backbone: without maps, or for images of one size only.
    """
    bare = name.rpartition("/")[2]
    if not timm.is_model(bare) or "." in bare:
        near = difflib.get_close_matches(bare.partition(".")[0], timm.list_models(), n=3)
        hint = f"; did you mean {' or '.join(name.removesuffix(bare) + each for each in near)}?" if near else ""
        raise UserError(f"timm {timm.__version__} has no network {bare}{hint}")
    with torch.random.fork_rng(devices=[]), torch.device("meta"):  # or what is drawn next would depend on it
        module = create(bare, 1000).eval()
        side = suited(name, module)
        parts = {each["module"]: each["reduction"] for each in feature_info(module)}
        calls, shapes = trace(module, side)
        maps = module.forward_intermediates(
            torch.empty(1, 3, side, side), indices=list(range(len(parts))), intermediates_only=True, output_fmt="NCHW"
        )
        found = pooled(module, side)
    at = {part: (index, tuple(each.shape)) for index, (part, each) in enumerate(zip(parts, maps, strict=True))}
    chosen = {stride: part for part, stride in parts.items() if stride >= FINEST}  # of several the last
    blocks = by_stage(residual_blocks(module, calls), calls, list(chosen.values()))
    return Network(
        name=name,
        title=bare,
        constructor=f"{__name__}:timm_network",
        classifier=module.pretrained_cfg["classifier"],
        features=module.head_hidden_size,
        stages=tuple(
            Stage(part, at[part][1][1], stride, at[part][0], tuple(blocks[part])) for stride, part in chosen.items()
        ),
        input_size=side,
        layout=layout([(shapes.get(part, ()), at[part][1], -(-side // stride)) for stride, part in chosen.items()]),
        pooled=found,
        batch_norm=any(isinstance(each, _BatchNorm) for each in module.modules()),
        libraries=("timm",),
    )


def timm_network(name: str, classes: int, zero_init_residual: bool) -> nn.Module:
    """See workflow.contracts.Network. Branches that do not start at zero start as the library has them, but for batch
    norms, which some of its networks start at zero: as in torchvision's networks, their weight is then one."""
    declared = describe(name)
    module = create(declared.title, classes)
    for end in (module.get_submodule(end) for block in declared.blocks for end in block.ends):
        if zero_init_residual:
            nn.init.zeros_(end.weight)
            if getattr(end, "bias", None) is not None:
                nn.init.zeros_(end.bias)
        elif isinstance(end, _BatchNorm):
            nn.init.ones_(end.weight)
    return module


def create(bare: str, classes: int) -> Any:
    """timm's network for images of any size; its ResNets get a module in each residual branch and skip connection."""
    module = timm.create_model(bare, num_classes=classes, **any_size(bare))
    for block in module.modules():
        for part in ("drop_path", "downsample"):
            if hasattr(block, "drop_path") and getattr(block, part, block) is None:
                setattr(block, part, nn.Identity())
    return module


@functools.cache
def any_size(bare: str) -> dict[str, Any]:
    """The arguments of a model of timm without which it takes images of one size only."""
    with torch.device("meta"):
        arguments = inspect.signature(type(timm.create_model(bare)).__init__).parameters
    return {name: value for name, value in ANY_SIZE.items() if name in arguments}


def suited(name: str, module: nn.Module) -> int:
    """The side of the images that a network was designed for, px.

    Raises:
        UserError: if it is no backbone for this project.
    """
    about = module.pretrained_cfg
    if not getattr(module, "feature_info", None) or not hasattr(module, "forward_intermediates"):
        raise UserError(f"{name} gives no feature maps (timm's feature_info), so it is no backbone")
    last = about.get("classifier")
    if not isinstance(last, str) or not isinstance(module.get_submodule(last), nn.Linear):
        raise UserError(f"{name} does not end with one linear classifier, as a backbone must")
    channels, height, width = about["input_size"]
    if channels != 3 or height != width:
        raise UserError(f"{name} is for images of {channels} × {height} × {width}, not for square ones in colour")
    try:
        module(torch.empty(1, 3, height + OTHER, width + OTHER))
    except Exception as error:
        raise UserError(f"{name} takes images of {height} × {width} px only; tasks have other sizes") from error
    return int(height)


def pooled(module: nn.Module, side: int) -> Literal["NCHW", "NHWC", ""]:
    """Network.pooled of a network on the meta device, which then has memory for its weights, without values: a head
    that computes with weights gives no mean."""
    shape = tuple(module.forward_features(torch.empty(1, 3, side, side)).shape)
    features = torch.rand(shape, device="cpu") + 1
    with torch.no_grad():
        given = module.to_empty(device="cpu").forward_head(features, pre_logits=True)
    layouts: tuple[tuple[Literal["NCHW", "NHWC"], tuple[int, int]], ...] = (("NCHW", (2, 3)), ("NHWC", (1, 2)))
    for layout, cells in layouts if len(shape) == 4 else ():
        mean = features.mean(cells)
        if mean.shape == given.shape and torch.allclose(mean, given, atol=1e-5):
            return layout
    return ""


def feature_info(module: nn.Module) -> list[dict[str, Any]]:
    """What timm says of the maps, in their order: `module`, `num_chs`, `reduction`."""
    found = module.feature_info
    return found if isinstance(found, list) else list(found.info)


def trace(module: nn.Module, side: int) -> tuple[list[str], dict[str, tuple[int, ...]]]:
    """The names of all modules in the order in which they end on an image, and the shapes of their outputs."""
    calls: list[str] = []
    shapes: dict[str, tuple[int, ...]] = {}

    def ended(name: str, output: object) -> None:
        calls.append(name)
        shapes[name] = tuple(output.shape) if isinstance(output, torch.Tensor) else ()

    handles = [
        each.register_forward_hook(lambda module, inputs, output, name=name: ended(name, output))
        for name, each in module.named_modules()
    ]
    module(torch.empty(1, 3, side, side))
    for handle in handles:
        handle.remove()
    return calls, shapes


def residual_blocks(module: nn.Module, calls: list[str]) -> dict[str, Block]:
    """Name of a module to the block that it is: it has `drop_path`, on the sum's way, called."""
    branches: dict[str, list[tuple[str, str]]] = {}
    for place, name in enumerate(calls):
        block, _, last = name.rpartition(".")
        if last.rstrip("0123456789") == "drop_path":
            before = (each for each in reversed(calls[:place]) if each.startswith(f"{block}."))
            end = next(each for each in before if ends_branch(module, each))
            branches.setdefault(block, []).append((name, end))
    return {
        block: Block(
            branches=tuple(branch for branch, _ in found),
            ends=tuple(end for _, end in found),
            outputs=masked(module, block, found[-1][1], calls),
        )
        for block, found in branches.items()
    }


def ends_branch(module: nn.Module, name: str) -> bool:
    """Whether a module has a weight that all of its branch goes through."""
    own = dict(module.get_submodule(name).named_parameters(recurse=False))
    return "weight" in own and not ASIDE & set(name.split("."))


def masked(module: nn.Module, block: str, end: str, calls: list[str]) -> tuple[str, ...]:
    """What DropBlock masks: nothing unless its branch ends in a batch norm and its skip connection is a module."""
    skip = f"{block}.downsample"
    if not isinstance(module.get_submodule(end), _BatchNorm) or skip not in calls:
        return ()
    inside = (name for name in calls if name.startswith(f"{block}.") and not name.startswith(f"{skip}."))
    return (*(name for name in inside if isinstance(module.get_submodule(name), _BatchNorm)), skip)


def by_stage(blocks: dict[str, Block], calls: list[str], stages: list[str]) -> dict[str, list[Block]]:
    """Stage to its blocks: those that end before it and after the stage before."""
    found: dict[str, list[Block]] = {stage: [] for stage in stages}
    waiting: list[Block] = []
    for name in calls:
        waiting += [blocks[name]] if name in blocks else []
        if name in found:
            found[name], waiting = waiting, []
    return found


def layout(shapes: list[tuple[tuple[int, ...], tuple[int, ...], int]]) -> Literal["NCHW", "NHWC", ""]:
    """Of the outputs of modules, next to their maps (N, C, H, W) and the cells that a side should have by their stride;
    "" where it is not the same for all, or another."""
    if any(each[2:] != (cells, cells) for _, each, cells in shapes):
        return ""
    if all(output == each for output, each, _ in shapes):
        return "NCHW"
    if all(output == (each[0], *each[2:], each[1]) for output, each, _ in shapes):
        return "NHWC"
    return ""
