"""Beam search: width 1 is greedy, wider is never less probable, every caption ends."""

import itertools

import pytest
import torch

from captioning import beam_search
from captioning.vocabulary import BOS, EOS, PAD, SPECIAL

WORDS = len(SPECIAL) + 3
LONGEST = 4


class Speaker:
    """A small random recurrent network; keeps no state of its own, counts its steps."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        random = {"generator": generator, "dtype": torch.float64}
        self.embed, self.recur = torch.randn(WORDS, 6, **random), torch.randn(6, 6, **random)
        self.output, self.start = 1.5 * torch.randn(6, WORDS, **random), torch.randn(5, 6, **random)
        self.steps = 0

    def step(self, tokens, state):
        self.steps += 1
        state = torch.tanh(self.embed[tokens] + state[0] @ self.recur)
        return (state @ self.output).log_softmax(-1), (state,)

    def say(self, width, images=slice(None)):
        return beam_search.search(self.step, (self.start[images],), width, LONGEST)

    def log_prob(self, image, words):
        """Of <start> words <end>, one step after the other."""
        state, total = (self.start[image : image + 1],), 0.0
        for before, after in itertools.pairwise([BOS, *words, EOS]):
            log_probs, state = self.step(torch.tensor([before]), state)
            total += log_probs[0, after].item()
        return total


def sentence(row):
    """The words before <end>; checks that there is one and nothing but padding after it."""
    row = row.tolist()
    end = row.index(EOS)
    assert set(row[end + 1 :]) <= {PAD}
    return row[:end]


@pytest.fixture(params=range(4))
def speaker(request):
    return Speaker(request.param)


def greedy(speaker, image):
    """The most probable allowed word, again and again."""
    words, state = [], (speaker.start[image : image + 1],)
    while len(words) < LONGEST:
        log_probs, state = speaker.step(torch.tensor([words[-1] if words else BOS]), state)
        allowed = list(range(len(SPECIAL), WORDS)) + [EOS] * bool(words)
        best = max(allowed, key=lambda word: log_probs[0, word].item())
        if best == EOS:
            break
        words.append(best)
    return words


def test_width_one_is_greedy(speaker):
    tokens, _ = speaker.say(1)
    assert [sentence(row) for row in tokens] == [greedy(speaker, image) for image in range(5)]


def test_unbounded_width_is_exhaustive_search(speaker):
    every = [w for n in range(1, LONGEST + 1) for w in itertools.product(range(len(SPECIAL), WORDS), repeat=n)]
    tokens, scores = speaker.say(1000)
    for image in range(5):
        best = max(every, key=lambda words: speaker.log_prob(image, words))
        assert tuple(sentence(tokens[image])) == best
        assert scores[image].item() == pytest.approx(speaker.log_prob(image, best))


@pytest.mark.parametrize("width", [1, 2, 5])
def test_score_is_the_log_probability_of_the_sentence(speaker, width):
    tokens, scores = speaker.say(width)
    for image in range(5):
        assert scores[image].item() == pytest.approx(speaker.log_prob(image, sentence(tokens[image])))


def test_a_wider_beam_is_never_less_probable():
    """For every image and every pair of widths, on 100 images."""
    speakers, widths = [Speaker(seed) for seed in range(20)], (1, 2, 3, 4, 5, 8, 20, 300)
    scores = torch.stack([torch.cat([speaker.say(width)[1] for speaker in speakers]) for width in widths])
    assert (scores.diff(dim=0) >= -1e-12).all()
    assert (scores[-1] > scores[0] + 1e-12).any()


@pytest.mark.parametrize("width", [1, 3, 20])
def test_a_batch_says_what_each_image_says_alone(speaker, width):
    tokens, scores = speaker.say(width)
    for image in range(5):
        alone, score = speaker.say(width, slice(image, image + 1))
        assert sentence(alone[0]) == sentence(tokens[image])
        assert score[0].item() == pytest.approx(scores[image].item())


def test_one_step_for_all_hypotheses_and_images(speaker):
    """Of the greedy search that bounds the wide one, and of that."""
    speaker.say(20)
    assert speaker.steps <= 2 * (LONGEST + 1)


def plain(speaker, image, width, longest):
    """The same search without a bound: every hypothesis of one image in a list of slots, (score, words, state)."""
    slots, ended = [(0.0, [BOS], speaker.start[image : image + 1])], []
    for length in range(longest + 1):
        candidates = []
        for parent, (score, words, state) in enumerate(slots):
            if words[-1] == EOS:
                candidates.append((score, parent, words, state))
                continue
            log_probs, (after,) = speaker.step(torch.tensor(words[-1:]), (state,))
            for word in range(len(SPECIAL), log_probs.shape[1]) if length < longest else ():
                candidates.append((score + log_probs[0, word].item(), parent, [*words, word], after))
            if length:
                candidates.append((score + log_probs[0, EOS].item(), parent, [*words, EOS], after))
        slots = []
        for slot in range(min(width, len(candidates))):
            allowed = [candidate for candidate in candidates if candidate[1] <= slot]
            if not allowed:
                break
            best = max(allowed, key=lambda candidate: candidate[0])
            candidates.remove(best)
            slots.append((best[0], *best[2:]))
        ended += [slot for slot in slots if slot[1][-1] == EOS]
    return max(ended, key=lambda slot: slot[0])


@pytest.mark.parametrize("width", [2, 3, 8])
def test_what_is_not_continued_could_not_have_won(speaker, width):
    """The bound and the rows at a time change nothing: sentence by sentence, to 1e-9."""
    tokens, scores = speaker.say(width)
    for image in range(5):
        score, words, _ = plain(speaker, image, width, LONGEST)
        assert sentence(tokens[image]) == words[1:-1]
        assert scores[image].item() == pytest.approx(score, abs=1e-9)


def test_nor_where_sentences_are_nearly_as_good():
    """Flat distributions that would rather end: here a bound too high by 0.1 costs a sentence, by 1 thirteen."""
    for seed in range(20):
        speaker = Speaker(seed)
        speaker.output /= 3
        speaker.output[:, EOS] += 2
        expected = [plain(speaker, image, 8, LONGEST)[0] for image in range(5)]
        assert speaker.say(8)[1].tolist() == pytest.approx(expected, abs=1e-9)


def test_hopeless_hypotheses_are_not_computed(speaker, monkeypatch):
    """With at most two rows at a time the search says the same, and fewer rows than slots pass the network."""
    rows, step, expected = [], speaker.step, speaker.say(8)
    monkeypatch.setattr(beam_search, "AT_ONCE", 2)
    monkeypatch.setattr(speaker, "step", lambda tokens, state: rows.append(len(tokens)) or step(tokens, state))
    found = speaker.say(8)
    assert {*rows} == {2}, "filled up: a step's bits depend on the number of its rows"
    assert sum(rows) < 5 * (1 + 8 * LONGEST)
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1], rtol=0, atol=1e-12)


def test_sentences_have_a_word_an_end_and_no_other_special_token(speaker):
    speaker.output[:, EOS] += 3  # a network that would rather be silent
    tokens, _ = speaker.say(3)
    assert all(len(sentence(row)) >= 1 and min(sentence(row)) >= len(SPECIAL) for row in tokens)


def test_a_sentence_that_does_not_end_is_cut_at_the_longest(speaker):
    def endless(tokens, state):
        log_probs, state = speaker.step(tokens, state)
        log_probs[:, EOS] = -1000
        return log_probs, state

    tokens, scores = beam_search.search(endless, (speaker.start,), 3, LONGEST)
    assert all(len(sentence(row)) == LONGEST for row in tokens)
    assert (scores < -1000).all()
