"""Batched beam search: all hypotheses of all images of a batch in one step of the network. A sentence's score is its
plain sum of log-probabilities, <end> included, not divided by the length, as in Show and Tell. (The reference code's
search has no <end> in its sum, may say <unk>, and cuts a sentence at its <end> afterwards.)
Slots fill as in monotonic beam search (Lemons et al., ICAPS 2022): slot i takes the best continuation of slots 1 to i,
so a wider beam never finds a less probable sentence, which the textbook's beam does. Checked: width 1 is greedy, an
unbounded width exhaustive search; width 20 gave the textbook beam's sentence for every image of the demo.

Scores only fall, so a hypothesis that is no better than a finished sentence cannot win, and what it keeps out of a slot
is no better than itself: it is not continued. The greedy sentence, found first, is such a bound from the beginning."""

from collections.abc import Callable

import torch
from torch import Tensor

from captioning.vocabulary import BOS, EOS, PAD, UNK
from workflow.training.batches import fill_batch

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State], tuple[Tensor, State]]

AT_ONCE = 100  # hypotheses that a CPU works on at a time: the log-probabilities of 10,000 words stay in its cache
NEVER = float("-inf")


def search(step: Step, state: State, width: int, max_length: int) -> tuple[Tensor, Tensor]:
    """The best sentence of each image: tokens (images, max_length + 1) after <start>, padded, and its score (images).

    `step(tokens, state)` takes one token and one state row per hypothesis, (rows,) and (rows, …), and gives the
    log-probabilities of the next token (rows, words), which the search may overwrite, and the next state; `state`
    holds one row per image. A sentence has 1 to `max_length` words and then <end>, which is forced after the last;
    <pad>, <start> and <unk> are never said.
    """
    sentences = torch.full((len(state[0]), max_length + 1), PAD, device=state[0].device)
    best = state[0].new_full((len(state[0]),), NEVER)
    for slots in sorted({1, width}):
        sentences, best = _search(step, state, slots, sentences, best)
    return sentences, best


def _search(step: Step, state: State, width: int, sentences: Tensor, best: Tensor) -> tuple[Tensor, Tensor]:
    """`search` for sentences with a better score than `best`; where there is none, `sentences` stays."""
    images, most = sentences.shape
    scores, token = best.new_zeros(images, 1), sentences.new_full((images, 1), BOS)
    words, row = sentences.new_full((images, 1, most), PAD), torch.arange(images, device=best.device).unsqueeze(1)
    for length in range(most):
        live = (scores > best.unsqueeze(1)).flatten().nonzero().squeeze(1)
        if not len(live):
            break
        state = tuple(part[row.flatten()[live]] for part in state)
        together = min(AT_ONCE, scores.numel()) if scores.device.type == "cpu" else scores.numel()
        values, tokens, state = _continue(step, token.flatten()[live], state, together, width, length, most - 1)
        each = values.shape[1]
        left = values.new_full((scores.numel(), each), NEVER)
        left[live] = scores.flatten()[live].unsqueeze(1) + values
        scores, taken = _fill(left.view(images, -1), each, width)
        parent = taken // each
        row = live.new_zeros(len(left)).scatter_(0, live, torch.arange(len(live), device=live.device))
        row = row.view(images, -1).gather(1, parent)
        token = tokens[row, taken % each]
        words = words.gather(1, parent.unsqueeze(2).expand(-1, -1, most))
        words[..., length] = token
        ended, slot = scores.masked_fill(token != EOS, NEVER).max(1)
        said = words[torch.arange(images, device=slot.device), slot]
        sentences = torch.where((ended > best).unsqueeze(1), said, sentences)
        best = torch.maximum(ended, best)
    return sentences, best


def _continue(
    step: Step, tokens: Tensor, state: State, together: int, width: int, length: int, max_length: int
) -> tuple[Tensor, Tensor, State]:
    """The best allowed continuations of hypotheses (rows) of `length` words: their log-probabilities and words
    (rows, at most `width`), and the next state (rows, …). `together` of them make a step, always: its bits depend on
    their number."""
    parts = []
    for rows, *states in zip(tokens.split(together), *(part.split(together) for part in state), strict=True):
        filled = step(fill_batch(rows, together), tuple(fill_batch(part, together) for part in states))
        log_probs, after = filled[0][: len(rows)], [part[: len(rows)] for part in filled[1]]
        end = log_probs[:, EOS].clone()
        if length == max_length:
            log_probs.fill_(NEVER)
        log_probs[:, [PAD, BOS, UNK, EOS]] = NEVER
        if length > 0:
            log_probs[:, EOS] = end
        parts.append((*log_probs.topk(min(width, log_probs.shape[1])), *after))
    values, words, *state = (torch.cat(part) for part in zip(*parts, strict=True))
    return values, words, tuple(state)


def _fill(left: Tensor, each: int, width: int) -> tuple[Tensor, Tensor]:
    """Fill `width` slots from the scores of continuations (images, slots × each), which are used up: scores and places
    in `left`, (images, width). Slot after slot takes the best one of the parents up to its own number that is left."""
    values, chosen = [], []
    for slot in range(min(width, left.shape[1])):
        value, index = left[:, : (slot + 1) * each].max(1, keepdim=True)
        left.scatter_(1, index, NEVER)
        values.append(value)
        chosen.append(index)
    return torch.cat(values, dim=1), torch.cat(chosen, dim=1)
