"""NIC: shapes, the loss over real words, what is trained and what is frozen."""

import itertools

import pytest
import torch
from mmengine.optim import OptimWrapper

from backbones.backbone import IMAGENET, load_backbone, load_weights
from captioning.dataset import places_of_words
from captioning.model import NIC
from captioning.vocabulary import BOS, EOS, PAD, Vocabulary
from workflow import registry


@pytest.fixture
def build(tmp_path):
    Vocabulary.build(["a b c d e"], 1).save(tmp_path / "vocabulary.json")
    sizes = {"embed_size": 8, "hidden_size": 12, "dropout": 0.0, "beam_size": 3, "max_length": 4}

    def network(**changes):
        torch.manual_seed(0)
        model = NIC(str(tmp_path / "vocabulary.json"), **{"network": "resnet50", **sizes, **changes})
        model.init_weights()
        return model

    return network


TOKENS = torch.tensor([[BOS, 4, 5, 6, EOS], [BOS, 7, EOS, PAD, PAD], [BOS, 8, 8, EOS, PAD]])


def train_step(model, inputs):
    model.train()
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), lr=0.01))
    batch = {"inputs": inputs, "tokens": TOKENS, "words": places_of_words(TOKENS)}
    return model.train_step(batch, wrapper)["loss"].item()


def test_padding_costs_nothing(build):
    model, features = build(), torch.randn(3, 2048)
    longer = torch.nn.functional.pad(TOKENS, (0, 4), value=PAD)
    loss = model(features, TOKENS, places_of_words(TOKENS), mode="loss")["loss"]
    assert model(features, longer, places_of_words(longer), mode="loss")["loss"].item() == pytest.approx(
        loss.item(), rel=1e-6
    )


def test_loss_is_the_mean_over_words_of_what_the_beam_sees(build):
    """The sum of one-step log-probabilities, fed word by word as in the search, gives the same loss."""
    model, features = build().eval(), torch.randn(3, 2048)
    image, total = model(features), 0.0
    for row, tokens in enumerate(TOKENS):
        state = tuple(part[0] for part in model.lstm(image[row].view(1, 1, -1))[1])
        words = tokens[tokens != PAD].tolist()
        for before, after in itertools.pairwise(words):
            log_probs, state = model.step(torch.tensor([before]), state)
            total -= log_probs[0, after]
    loss = model(features, TOKENS, places_of_words(TOKENS), mode="loss")["loss"]
    assert loss.item() == pytest.approx(total.item() / (TOKENS[:, 1:] != PAD).sum().item(), rel=1e-5)


def test_it_learns_and_says_its_captions(build):
    model, features = build(embed_size=16, hidden_size=32), torch.randn(3, 2048)
    losses = [train_step(model, features) for _ in range(80)]
    assert losses[-1] < 0.1 < losses[0]
    model.image[1].momentum = None
    model.image[1].reset_running_stats()
    model(features)
    said = model.eval()(features, image_ids=torch.tensor([5, 6, 7]), mode="predict")
    decode = model.vocabulary.decode
    assert said == [{"image_id": 5 + i, "caption": decode(row[1:])} for i, row in enumerate(TOKENS.tolist())]


def test_it_starts_as_the_reference_code_does(build):
    """Words and output layer uniform from -0.1 to 0.1, and the running statistics take a hundredth of each batch."""
    model = build(embed_size=64, hidden_size=128)
    for weight in (model.embed.weight, model.output.weight):
        assert 0.095 < weight.abs().max() <= 0.1
        assert weight.std().item() == pytest.approx(0.2 / 12**0.5, rel=0.06)
    assert model.image[0].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not model.output.bias.any()
    assert not model.image[0].bias.any()
    features = 3 + 2 * torch.randn(32, 2048)
    inputs = model.image[0](features).detach()
    model.train()(features)
    torch.testing.assert_close(model.image[1].running_mean, 0.01 * inputs.mean(0))
    torch.testing.assert_close(model.image[1].running_var, 0.99 + 0.01 * inputs.var(0))


def test_dropout_is_a_switch(build):
    features = torch.randn(3, 2048)
    losses = [
        build(dropout=rate).train()(features, TOKENS, places_of_words(TOKENS), mode="loss")["loss"].item()
        for rate in (0.0, 0.5)
    ]
    assert losses[0] != losses[1]


def test_frozen_has_no_encoder_to_train(build):
    assert not [name for name, _ in build().named_parameters() if "encoder" in name]


def test_fine_tuning_changes_the_encoder_but_not_its_statistics(build, backbone):
    model = build(encoder=vars(IMAGENET))
    load_backbone(backbone, model.encoder.network)
    before, _ = load_weights(backbone)
    train_step(model, torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8))
    after = model.encoder.network.state_dict()
    changed = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert {"conv1.weight", "layer4.2.conv3.weight", "layer1.0.bn1.weight"} <= changed
    assert not [key for key in changed if "running" in key or "num_batches" in key]


def test_a_tuned_encoder_sees_what_its_backbone_expects(build, backbone):
    caffe = {"channel_order": "BGR", "mean": (103.53, 116.28, 123.675), "std": (1.0, 1.0, 1.0)}
    photo = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    seen = build(encoder=caffe).encoder.prepare(photo)
    assert torch.equal(seen, photo[:, [2, 1, 0]] - torch.tensor(caffe["mean"]).view(3, 1, 1))
    one, other = (build(encoder=vars(IMAGENET), stride=stride).encoder.eval() for stride in ("1x1", "3x3"))
    for encoder in (one, other):
        encoder.network.load_state_dict(load_weights(backbone)[0], strict=False)
    first = one.network.layer2[0]
    assert (first.conv1.stride, first.conv2.stride) == ((2, 2), (1, 1))
    assert not torch.allclose(one(photo), other(photo), rtol=1e-2)


def test_the_search_is_fp32_under_autocast(build):
    model, features = build().eval(), torch.randn(3, 2048)
    plain = model.say(model(features))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(model(features), model(features.clone()))
        assert model(features).dtype == torch.float32
        said = model(features, image_ids=torch.arange(3), mode="predict")
    decode = model.vocabulary.decode
    assert said == [{"image_id": i, "caption": decode(row)} for i, row in enumerate(plain[0].tolist())]


def test_bf16_learning_is_near_fp32(build):
    """Loss within 0.5 %, each gradient within 3 % of its norm; both are fp32."""
    torch.manual_seed(1)
    features, found = torch.randn(3, 2048), {}
    for enabled in (False, True):
        model = build(embed_size=32, hidden_size=64)
        torch.nn.init.normal_(model.output.weight)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            loss = model(features, TOKENS, places_of_words(TOKENS), mode="loss")["loss"]
        loss.backward()
        found[enabled] = loss, {name: weight.grad for name, weight in model.named_parameters()}
    (loss, plain), (near, gradients) = found[False], found[True]
    assert near.dtype == torch.float32
    assert near.item() != loss.item()
    assert near.item() == pytest.approx(loss.item(), rel=5e-3)
    for name, gradient in gradients.items():
        assert gradient.dtype == torch.float32
        if name != "image.0.bias":  # the BatchNorm after it takes away its effect: its gradient is rounding alone
            assert (gradient - plain[name]).norm() < 0.03 * plain[name].norm(), name


@pytest.mark.parametrize("name", ["timm/test_convnext", "timm/test_efficientnet", "timm/test_vit"])
def test_every_kind_of_network_is_an_encoder(build, name):
    """Its features are what the classifier gets; fine-tuned, its weights learn and its batch norms' statistics stay."""
    prepare = {"channel_order": "RGB", "mean": IMAGENET.mean, "std": IMAGENET.std}
    model = build(network=name, encoder=prepare)
    network, images = model.encoder.network, torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    declared = registry.network(name)
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(IMAGENET(images)), pre_logits=True)
        torch.testing.assert_close(model.encoder(images), expected)
    assert expected.shape == (3, declared.features)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    train_step(model, images)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]) == ("running" in key or "num_batches" in key), key
