"""What holds for the regularizers that act inside of a network, over networks of different kinds."""

import pytest
import torch
from mmengine.logging import MessageHub

from backbones.construct import build as construct
from backbones.regularized_loss import changed
from backbones.regularizers import build
from backbones.regularizers.mixup import blending
from pretrain.model import Classifier
from workflow import registry
from workflow.config.consistency import faults_of_sense
from workflow.config.loading import load
from workflow.core.rng import rng
from workflow.training.cpu_convs import channels_last

MASKED = ["resnet18", "resnet50", "timm/seresnet50", "pyramidnet11_a7_bottleneck"]
NAMES = [*MASKED, "timm/convnext_tiny", "timm/swin_tiny_patch4_window7_224"]
MORE = [*NAMES, "timm/efficientnet_b0", "timm/mobilenetv3_large_100"]
SIDE = 64
IMAGES = torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
PIXELS = (IMAGES * 255).to(torch.uint8)
ALWAYS = {"probability": 1.0}
DEMO = load(registry.PROJECT / "config/demo.yaml")


@pytest.fixture(scope="module")
def networks():
    """networks(name): its declaration and its module, once each."""
    made = {}

    def of(name):
        if name not in made:
            torch.manual_seed(0)
            declared = registry.network(name)
            made[name] = declared, construct(declared, classes=4).eval()
        return made[name]

    return of


def stage_map(module, declared, stage, changes=()):
    """(N, C, H, W), as timm gives it, with changes inside."""
    with torch.no_grad(), changed(module, list(changes), declared):
        (found,) = module.forward_intermediates(IMAGES, indices=[stage.index], intermediates_only=True)
    return found


def transforms(name, parameters, declared, progress=1.0):
    (regularizer,) = build({name: parameters | ALWAYS})
    return regularizer.feature_transforms(IMAGES, torch.eye(4), rng(0, 3), progress, declared)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", [0, -1])
def test_manifold_mixup_blends_the_maps_of_a_stage(networks, name, place):
    declared, module = networks(name)
    stage = declared.stages[place]
    changes, _ = transforms("manifold_mixup", {"alpha": 1.0, "layers": [stage.name]}, declared)
    plain = stage_map(module, declared, stage)
    found = stage_map(module, declared, stage, [changes])
    again = rng(0, 3)
    again.random()  # whether it acts
    torch.testing.assert_close(found, blending(1.0, 4, again)(plain))
    assert not torch.allclose(found, plain)


@pytest.mark.parametrize("name", NAMES)
def test_feature_cutmix_pastes_a_box_of_cells_of_one_partner(networks, name):
    """The target's weight is the share of cells that stay."""
    declared, module = networks(name)
    stage = declared.stages[0]
    changes, targets = transforms("feature_cutmix", {"alpha": 1.0, "layers": [stage.name]}, declared)
    plain = stage_map(module, declared, stage)
    found = stage_map(module, declared, stage, [changes])
    other = (found != plain).any(1)  # (N, H, W)
    assert 0 < other[0].float().mean() < 1
    rows, columns = other[0].any(1), other[0].any(0)
    assert torch.equal(other[0], rows[:, None] & columns), "a box"
    for n in range(4):
        partner = next((each for each in targets[n].nonzero().flatten().tolist() if each != n), n)
        torch.testing.assert_close(found[n], torch.where(other[0], plain[partner], plain[n]))
        if partner != n:
            assert targets[n, n].item() == pytest.approx(1 - other[0].float().mean().item())


@pytest.mark.parametrize("name", MORE)
def test_stochastic_depth_drops_the_branches_of_the_network(networks, name):
    """Dropped at a rate of one, the last block is its skip connection. ShakeDrop acts on the same."""
    declared, module = networks(name)
    changes, _ = transforms("stochastic_depth", {"drop_prob": 1.0}, declared)
    assert list(changes) == [branch for block in declared.blocks for branch in block.branches]
    assert list(transforms("shakedrop", {"drop_prob": 0.5}, declared)[0]) == list(changes)
    seen = {}
    for branch in declared.blocks[-1].branches:
        with torch.no_grad(), changed(module, [{branch: changes[branch]}], declared):
            handle = module.get_submodule(branch).register_forward_hook(
                lambda m, i, out, branch=branch: seen.update({branch: out.abs().max().item()})
            )
            module(IMAGES)
            handle.remove()
    assert set(seen.values()) == {0.0}


@pytest.mark.parametrize("name", MASKED)
def test_dropblock_masks_each_output_of_the_last_two_stages(networks, name):
    declared, module = networks(name)
    changes, _ = transforms("dropblock", {"block_size": 3, "keep_prob": 0.5}, declared)
    assert list(changes) == [output for s in declared.stages[-2:] for block in s.blocks for output in block.outputs]
    zeros = {}
    handles = []
    with torch.no_grad(), changed(module, [changes], declared):
        for output in changes:
            handles.append(
                module.get_submodule(output).register_forward_hook(
                    lambda m, i, out, output=output: zeros.update({output: (out == 0).any().item()})
                )
            )
        module(IMAGES)
    for handle in handles:
        handle.remove()
    assert zeros.keys() == changes.keys()
    assert all(zeros[f"{each}"] for each in changes if "bn" in each)


REFUSED = ["timm/convnext_tiny", "timm/swin_tiny_patch4_window7_224", "timm/efficientnet_b0"]


@pytest.mark.parametrize("name", REFUSED)
def test_where_there_is_nothing_to_mask_dropblock_is_refused_by_name(name):
    row = {"network": name, "regularizers": {"dropblock": {"block_size": 3, "keep_prob": 0.9} | ALWAYS}}
    faults = [each for each in faults_of_sense(DEMO | {"backbones": {"baseline": {}, "a": row}}) if "dropblock" in each]
    assert faults == [
        "backbones.a.regularizers.dropblock: acts on batch-normalized convolutions and skip connections of residual "
        f"blocks, and the blocks of a {name[5:]} (backbones.a.network: {name}) have others"
    ]


def test_without_maps_only_the_input_can_be_mixed():
    mixing = {"manifold_mixup": {"alpha": 1.0, "layers": ["input", "blocks.11"]} | ALWAYS}
    row = {"network": "timm/vit_tiny_patch16_224", "regularizers": mixing}
    (fault,) = (each for each in faults_of_sense(DEMO | {"backbones": {"baseline": {}, "a": row}}) if "mixup" in each)
    assert fault.endswith("has input, not 'blocks.11'")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", MORE)
def test_a_step_with_all_that_stack_reaches_every_weight(name, precision):
    """As the engine lays it out for a CPU: channels last, convolutions as products."""
    declared = registry.network(name)
    stacked = {
        "feature_cutmix": {"alpha": 1.0, "layers": [declared.stages[1].name]},
        "stochastic_depth": {"drop_prob": 0.0},
        "shakedrop": {"drop_prob": 0.9, "level": "pixel"},
    }
    stacked |= {"dropblock": {"block_size": 3, "keep_prob": 0.9}} if declared.maskable else {}
    torch.manual_seed(0)
    given = {name: parameters | ALWAYS for name, parameters in stacked.items()}
    model = channels_last(Classifier(name, 4, regularizers=given).train())
    hub = MessageHub.get_current_instance()
    hub.update_info("iter", 0)
    hub.update_info("progress", 1.0)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        loss = model(PIXELS, torch.arange(4), mode="loss")["loss"]
    loss.backward()
    assert loss.isfinite()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in model.parameters())


@pytest.mark.parametrize("name", MORE)
def test_the_layout_for_a_cpu_changes_no_sum(networks, name):
    """Depthwise, grouped and strided convolutions, and layer norms, where convolutions become products."""
    declared, module = networks(name)
    torch.manual_seed(0)
    fast = construct(declared, classes=4).eval()
    fast.load_state_dict(module.state_dict())
    channels_last(fast)
    with torch.no_grad():
        expected, found = module(IMAGES), fast(IMAGES.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())
