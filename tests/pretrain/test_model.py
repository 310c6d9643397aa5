"""The classifier: where the regularizers act, and that they do so in training alone."""

import pytest
import torch
from mmengine.logging import MessageHub
from torchvision.models import resnet50

from backbones.regularized_loss import changed
from backbones.regularizers.base import Regularizer
from pretrain.model import Classifier
from workflow import registry

NETWORK = registry.network("resnet50")
INSIDE = {
    "dropblock": {"block_size": 3, "keep_prob": 0.5, "probability": 1.0},
    "feature_cutmix": {"alpha": 1.0, "layers": ["layer2"], "probability": 1.0},
    "stochastic_depth": {"drop_prob": 0.9, "probability": 1.0},
}
STACKED = {"mixup": {"alpha": 1.0}, "label_smoothing": {"smoothing": 0.1}}
IMAGES = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0])


def classifier(**regularizers):
    torch.manual_seed(0)
    return Classifier("resnet50", 3, regularizers=regularizers).train()


def loss(model, iteration=0, progress=1.0):
    hub = MessageHub.get_current_instance()
    hub.update_info("iter", iteration)
    hub.update_info("progress", progress)
    return model(IMAGES, LABELS, mode="loss")["loss"].item()


def test_the_keys_are_torchvisions():
    assert classifier().network.state_dict().keys() == resnet50(weights=None).state_dict().keys()


@pytest.mark.parametrize("name", INSIDE)
def test_inside_the_network_each_changes_the_loss_by_its_iteration_alone(name):
    plain, model = loss(classifier()), classifier(**{name: INSIDE[name]})
    assert loss(model, 3) != plain
    assert loss(classifier(**{name: INSIDE[name]}), 3) == loss(classifier(**{name: INSIDE[name]}), 3)
    assert loss(classifier(**{name: INSIDE[name]}), 3) != loss(classifier(**{name: INSIDE[name]}), 4)


def test_scheduled_ones_see_the_progress():
    model = {"dropblock": INSIDE["dropblock"]}
    assert loss(classifier(**model), progress=0.0) == loss(classifier())
    assert loss(classifier(**model), progress=1.0) != loss(classifier())


@pytest.mark.parametrize("name", INSIDE)
def test_in_evaluation_they_are_the_identity(name):
    plain, model = classifier(), classifier(**{name: INSIDE[name]})
    loss(plain), loss(model)
    model.load_state_dict(plain.state_dict())  # batch norm has seen other features
    with torch.no_grad():
        assert torch.equal(plain.eval()(IMAGES, LABELS), model.eval()(IMAGES, LABELS))


def test_all_that_may_stack_do():
    alone = {name: loss(classifier(**{name: parameters})) for name, parameters in INSIDE.items()}
    assert loss(classifier(**INSIDE)) not in alone.values()


def test_label_smoothing_reaches_the_loss():
    assert loss(classifier(label_smoothing={"smoothing": 0.3, "probability": 1.0})) != loss(classifier())


def test_changes_apply_within_alone_and_to_what_they_name():
    network = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
    x = torch.ones(2)
    changes = [{"": lambda v: v + 1}, {"0": lambda v: v * 3}, {"0": lambda v: v + 5, "1": lambda v: -v}]
    with changed(network, changes, NETWORK):
        assert network(x).tolist() == [-11.0, -11.0]
    assert network(x).tolist() == [1.0, 1.0]


def test_a_failure_within_leaves_nothing_behind():
    network = torch.nn.Sequential(torch.nn.Identity())
    with pytest.raises(ZeroDivisionError), changed(network, [{"0": lambda v: v / (1 // 0)}], NETWORK):
        network(torch.ones(1))
    assert network(torch.ones(1)).item() == 1


@pytest.mark.parametrize("other", [name for name in INSIDE if name != "feature_cutmix"])
def test_no_regularizer_moves_the_draws_of_another(other):
    def mixed(**more):
        model, seen = classifier(cutmix={"alpha": 1.0, "probability": 0.7}, **more), []
        model.network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        for iteration in range(4):
            loss(model, iteration)
        return torch.stack(seen)

    plain = mixed()
    assert len(plain.unique(dim=0)) > 1
    for probability in (0.5, 1.0):
        assert torch.equal(mixed(**{other: INSIDE[other] | {"probability": probability}}), plain)


def test_whether_one_acts_says_nothing_of_another(monkeypatch):
    """Each has draws of its own: of two that act in half of the batches, both do in a quarter."""
    model, acted, acts = (
        classifier(**{name: {**each, "probability": 0.5} for name, each in STACKED.items()}),
        {},
        Regularizer.applies,
    )
    model.network = torch.nn.Sequential(torch.nn.AvgPool2d(64), torch.nn.Flatten(), torch.nn.Linear(3, 3))

    def noted(self, draws):
        acted.setdefault(self.name, []).append(acts(self, draws))
        return acted[self.name][-1]

    monkeypatch.setattr(Regularizer, "applies", noted)
    for iteration in range(400):
        loss(model, iteration)
    one, other = (torch.tensor(acted[name]) for name in STACKED)
    for share, expected in ((one, 0.5), (other, 0.5), (one & other, 0.25)):
        assert share.float().mean().item() == pytest.approx(expected, abs=0.1)  # four standard deviations
