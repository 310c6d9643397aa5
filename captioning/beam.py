"""Batched beam search: all hypotheses of all images of a batch in one step of the network, no loop over them.

The score of a hypothesis is its plain sum of log-probabilities, <end> included and not divided by its length, as in
Show and Tell and in the reference code. Width 1 was checked against greedy decoding, an unbounded width against
exhaustive search.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from captioning.vocabulary import END, PAD, START, UNKNOWN

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State], tuple[Tensor, State]]


def search(step: Step, state: State, width: int, max_length: int) -> tuple[Tensor, Tensor]:
    """The best sentence of each image: tokens (images, length ≤ max_length + 1, padded) and its score (images).

    `step(tokens, state)` takes one token and one state row per hypothesis, (rows,) and (rows, …), and gives the
    log-probabilities of the next token (rows, words) and the next state; `state` holds one row per image. A sentence
    has 1 to `max_length` words and then <end>, which is forced after the last; <pad>, <start> and <unk> are never said.
    """
    images = len(state[0])
    scores = state[0].new_zeros(images, 1)
    words = torch.full((images, 1, 1), START, device=scores.device)
    done = torch.zeros_like(scores, dtype=torch.bool)
    for length in range(max_length + 1):
        log_probs, state = step(words[..., -1].flatten(), state)
        log_probs = _allowed(log_probs.view(*scores.shape, -1), done, length, max_length)
        candidates = (scores.unsqueeze(-1) + log_probs).flatten(1)
        scores, chosen = candidates.topk(min(width, candidates.shape[1]))
        parent, token = chosen // log_probs.shape[-1], chosen % log_probs.shape[-1]
        done = done.gather(1, parent) | (token == END)
        words = words.gather(1, parent.unsqueeze(-1).expand(-1, -1, words.shape[-1]))
        words = torch.cat([words, token.unsqueeze(-1)], dim=-1)
        rows = (parent + torch.arange(images, device=parent.device).unsqueeze(1) * log_probs.shape[1]).flatten()
        state = tuple(part[rows] for part in state)
        # Scores only fall: once an image's best hypothesis is finished, no other one can overtake it.
        if done[:, 0].all():
            break
    return _padded(words[:, 0, 1:]), scores[:, 0]


def _allowed(log_probs: Tensor, done: Tensor, length: int, max_length: int) -> Tensor:
    """Log-probabilities (images, hypotheses, words) with -inf for what may not follow after `length` words.

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


def _padded(words: Tensor) -> Tensor:
    """<pad> after the first <end> of each row."""
    ended = (words == END).long().cumsum(-1)
    return words.masked_fill((ended - (words == END).long()) > 0, PAD)
