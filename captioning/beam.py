"""Batched beam search: all hypotheses of all images of a batch in one step of the network. A sentence's score is its
plain sum of log-probabilities, <end> included, not divided by the length (as in Show and Tell and the reference code).
Slots fill as in monotonic beam search (Lemons et al., ICAPS 2022): slot i takes the best continuation of slots 1 to i,
so a wider beam never finds a less probable sentence, which the textbook's beam does. Checked: width 1 is greedy, an
unbounded width exhaustive search; width 20 gave the textbook beam's sentence for every image of the demo."""

from collections.abc import Callable

import torch
from torch import Tensor

from captioning.vocabulary import END, PAD, START, UNKNOWN

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State], tuple[Tensor, State]]


def search(step: Step, state: State, width: int, max_length: int) -> tuple[Tensor, Tensor]:
    """The best sentence of each image: tokens (images, max_length + 1) after <start>, padded, and its score (images).

    `step(tokens, state)` takes one token and one state row per hypothesis, (rows,) and (rows, …), and gives the
    log-probabilities of the next token (rows, words) and the next state; `state` holds one row per image. A sentence
    has 1 to `max_length` words and then <end>, which is forced after the last; <pad>, <start> and <unk> are never said.
    """
    image = torch.arange(len(state[0]), device=state[0].device)
    scores, token = state[0].new_zeros(len(image), 1), image.new_full((len(image), 1), START)
    words, done = image.new_full((len(image), 1, max_length + 1), PAD), token == END
    best, sentences = torch.full_like(scores[:, 0], float("-inf")), words[:, 0]
    for length in range(max_length + 1):
        log_probs, state = step(token.flatten(), state)
        log_probs = _allowed(log_probs.view(*scores.shape, -1), done, length, max_length)
        scores, parent, token = _fill(scores, log_probs, width)
        rows = (image.unsqueeze(1) * log_probs.shape[1] + parent).flatten()
        state = tuple(part[rows] for part in state)
        words = words.flatten(0, 1)[rows].view(*parent.shape, -1)
        words[..., length] = token.masked_fill(done.gather(1, parent), PAD)
        done = done.gather(1, parent) | (token == END)
        # A finished sentence may be pushed out of the beam by beginnings that end badly: it is kept here.
        ended, slot = scores.masked_fill(~done, float("-inf")).max(1)
        sentences = torch.where((ended > best).unsqueeze(1), words[image, slot], sentences)
        best = torch.maximum(ended, best)
        # Scores only fall: what is unfinished and no better now cannot overtake any more.
        if (best >= scores.amax(1)).all():
            break
    return sentences, best


def _allowed(log_probs: Tensor, done: Tensor, length: int, max_length: int) -> Tensor:
    """Log-probabilities (images, slots, words) with -inf for what may not follow after `length` words.

    A finished hypothesis stays in the beam at its score: for it, and it alone, another <end> costs nothing.
    """
    banned = torch.zeros(log_probs.shape[-1], dtype=torch.bool, device=log_probs.device)
    banned[[PAD, START, UNKNOWN]] = True
    if length == max_length:
        banned.fill_(True)
    banned[END] = length == 0
    log_probs = log_probs.masked_fill(banned | done.unsqueeze(-1), float("-inf"))
    log_probs[..., END] = log_probs[..., END].masked_fill(done, 0)
    return log_probs


def _fill(scores: Tensor, log_probs: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Fill `width` slots from continuations (images, slots, words): scores, parents and tokens, (images, width).

    Slot after slot takes the best continuation of the parents up to its own number that no earlier slot took.
    """
    best, tokens = log_probs.topk(min(width, log_probs.shape[-1]))
    each = best.shape[-1]
    left = (scores.unsqueeze(-1) + best).flatten(1)
    values, chosen = [], []
    for slot in range(min(width, left.shape[1])):
        value, index = left[:, : (slot + 1) * each].max(1, keepdim=True)
        left.scatter_(1, index, float("-inf"))
        values.append(value)
        chosen.append(index)
    taken = torch.cat(chosen, dim=1)
    return torch.cat(values, dim=1), taken // each, tokens.flatten(1).gather(1, taken)
