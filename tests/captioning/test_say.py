"""The search on the network itself, with random weights and briefly trained: width 1 is greedy, a wider beam never less
probable (by the plain sum of log-probabilities, no length normalisation), and a caption ends at <end>."""

import itertools
from types import SimpleNamespace

import pytest
import torch

from captioning import dataset, vocabulary
from captioning.dataset import places_of_words
from captioning.model import NIC
from captioning.vocabulary import BOS, EOS, PAD, SPECIAL
from workflow.core.dataset_info import DatasetInfo
from workflow.training.shared_artifact import read_array

LONGEST = 20  # as in the paper's recipe
WIDTHS = (1, 2, 3, 5, 20)


@pytest.fixture(scope="module", params=[0, 150], ids=["random", "trained"])
def speaker(request, artifacts, tmp_path_factory):
    """`model`, a NIC after so many steps on the tiny set's captions, and `image`, embeddings of all its photos."""
    folder = tmp_path_factory.mktemp("speaker")
    vocabulary.make(DatasetInfo.read(artifacts.check), 1, folder)
    data = dataset.CaptionTrain(str(folder / "captions.npz"), {"folder": str(artifacts.features)}, seed=0)
    torch.manual_seed(0)
    model = NIC(
        str(folder / "vocabulary.json"),
        "resnet50",
        embed_size=16,
        hidden_size=32,
        dropout=0.1,
        beam_size=3,
        max_length=LONGEST,
    )
    model.init_weights()
    torch.nn.init.normal_(model.output.weight)  # its own start says all words alike
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(request.param):
        batch = dataset.caption_batch([data[(20 * step + i) % len(data), step] for i in range(20)])
        loss = model(batch["inputs"].float(), batch["tokens"], batch["words"], mode="loss")["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    photos = torch.cat(
        [torch.tensor(read_array(artifacts.features, split)).flatten(0, 1) for split in ("train", "test")]
    )
    with torch.inference_mode():
        return SimpleNamespace(model=model.eval(), image=model(photos), trained=request.param > 0)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


def captions(speaker, width):
    """The tokens and log-probabilities of all photos' sentences."""
    speaker.model.beam = width
    return speaker.model.say(speaker.image)


def words(row):
    """What stands before <end>."""
    return row[: row.index(EOS)]


def greedy(model, image):
    """The most probable allowed word, again and again."""
    found, state = [], tuple(part[0] for part in model.lstm(image.view(1, 1, -1))[1])
    while len(found) < LONGEST:
        log_probs, state = model.step(torch.tensor([found[-1] if found else BOS]), state)
        allowed = [EOS] * bool(found) + list(range(len(SPECIAL), log_probs.shape[1]))
        best = max(allowed, key=lambda word: log_probs[0, word].item())
        if best == EOS:
            break
        found.append(best)
    return found


def test_width_one_is_greedy(speaker):
    tokens, _ = captions(speaker, 1)
    expected = [greedy(speaker.model, image) for image in speaker.image]
    assert [words(row) for row in tokens.tolist()] == expected


def test_a_wider_beam_is_never_less_probable(speaker):
    scores = torch.stack([captions(speaker, width)[1] for width in WIDTHS])
    for narrow, wide in itertools.combinations(scores, 2):
        assert (wide >= narrow - 1e-4).all()
    assert (scores[-1] > scores[0] + 1e-2).any(), "a beam finds what greedy search misses"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_score_is_what_training_would_say_of_the_sentence(speaker, width):
    tokens, scores = captions(speaker, width)
    for image, row, score in zip(speaker.image, tokens.tolist(), scores.tolist(), strict=True):
        sentence = torch.tensor([[BOS, *words(row), EOS]])
        loss = speaker.model.loss(image[None], sentence, places_of_words(sentence)).item()
        assert score == pytest.approx(-loss * (sentence.shape[1] - 1), rel=1e-4)


@pytest.mark.parametrize("width", [1, 3, 20])
def test_a_caption_ends_at_the_end_token(speaker, width):
    tokens, _ = captions(speaker, width)
    for row in tokens.tolist():
        assert 1 <= len(words(row)) <= LONGEST
        assert row.count(EOS) == 1
        assert min(words(row)) >= len(SPECIAL)
        assert set(row[row.index(EOS) + 1 :]) <= {PAD}
        assert speaker.model.vocabulary.decode(row).split() == [speaker.model.vocabulary.words[w] for w in words(row)]


def test_the_trained_network_says_sentences(speaker):
    if speaker.trained:  # what is tested above is not said of one-word sentences alone
        tokens, _ = captions(speaker, 3)
        assert min(len(words(row)) for row in tokens.tolist()) >= 3
