"""How well a score tells images of a network's classes from others. Positive is *in*-distribution, as in the CutMix
paper (ICCV 2019, Section 4.4) and ODIN (Liang et al., ICLR 2018); OpenOOD calls the others positive."""

from collections.abc import Callable, Mapping

import numpy as np

from robustness.task import OOD_METRICS as METRICS
from robustness.task import OOD_SCORES as SCORES
from robustness.task import OPENOOD, metric_name

PERCENT, ENOUGH = 20, 19  # 19 of 20 images are 95 %

Values = dict[str, np.ndarray]


def scores(logits: np.ndarray) -> Values:
    """What is large where a network knows the image: the largest softmax probability (Hendrycks and Gimpel, ICLR 2017),
    the largest logit (Hendrycks et al., ICML 2022), and the negative free energy, the log of the sum of the
    exponentials (Liu et al., NeurIPS 2020).

    Args:
        logits: (N, classes). In float32 a softmax is exactly 1 from a gap of 18 on: all is float64 here.

    Returns:
        Name to (N,) float64.
    """
    logits = logits.astype(np.float64)
    largest = logits.max(axis=1)
    sums = np.exp(logits - largest[:, None]).sum(axis=1)
    return dict(zip(SCORES, (1 / sums, largest, largest + np.log(sums)), strict=True))


class Separation:
    """The metrics of one score between the images in distribution and those of one set, in resamples of both.

    Args:
        inside: scores of the images in distribution, (n,).
        outside: of the others, (m,).
    """

    def __init__(self, inside: np.ndarray, outside: np.ndarray) -> None:
        values = np.concatenate([inside, outside])
        self.order = np.argsort(-values, kind="stable")
        ranked = values[self.order]
        self.groups = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])  # equal scores are told apart by nothing
        self.inside = (np.arange(len(values)) < len(inside))[self.order][:, None]

    def metrics(self, inside: np.ndarray, outside: np.ndarray) -> Values:
        """The metrics in percent.

        A threshold is a score, and what has at least that much is called in-distribution. TNR is that of the largest
        threshold that keeps 95 % of the images in distribution at least: with many images that is the one whose TPR is
        nearest to 95 %. Sums are of integers, so AUROC is Mann and Whitney's U / nm to the last bit, ties halved.

        Args:
            inside: how often each image in distribution is drawn in each resample, (n, B).
            outside: the same of the others, (m, B).

        Returns:
            Metric to (B,); chance where a resample lacks one of the two kinds.
        """
        drawn = np.concatenate([inside, outside]).astype(np.int64)[self.order]
        kept = np.add.reduceat(drawn * self.inside, self.groups, axis=0)
        let_in = np.add.reduceat(drawn * ~self.inside, self.groups, axis=0)
        positives, negatives = kept.sum(axis=0), let_in.sum(axis=0)
        true, false = kept.cumsum(axis=0), let_in.cumsum(axis=0)
        known = (positives > 0) & (negatives > 0)
        n, m, columns = np.maximum(positives, 1), np.maximum(negatives, 1), np.arange(drawn.shape[1])
        won = (kept * (2 * (negatives - false) + let_in)).sum(axis=0)
        at = (PERCENT * true >= ENOUGH * positives).argmax(axis=0)
        found = PERCENT * (negatives - false + let_in) >= ENOUGH * negatives  # of the others, from the lowest score on
        last = len(found) - 1 - found[::-1].argmax(axis=0)
        values = {
            "TNR_at_TPR95": (negatives - false[at, columns]) / m,
            "AUROC": won / (2 * n * m),
            "detection_accuracy": np.maximum((true / n + 1 - false / m).max(axis=0) / 2, 0.5),
            "FPR95_OOD_positive": (positives - true[last, columns] + kept[last, columns]) / n,
        }
        chance = dict(zip(METRICS, (0.05, 0.5, 0.5, 0.95), strict=True))
        return {name: 100.0 * np.where(known, value, chance[name]) for name, value in values.items()}


def separations(arrays: Mapping[str, np.ndarray]) -> Callable[[np.ndarray], Values]:
    """The scorer of a run: function of how often each image is drawn, (N, B), that gives every metric (B,).

    Args:
        arrays: the scores (N,) of SCORES, and for each set the flags of its images (N,) under `<group>:<set>`. What is
            in no set is in distribution.
    """
    groups: dict[str, list[str]] = {}
    sets: dict[str, np.ndarray] = {}
    for name in sorted(arrays.keys() - set(SCORES)):
        group, _, own = name.partition(":")
        sets[own] = arrays[name]
        groups.setdefault(group, []).append(own)
    inside = ~np.any(list(sets.values()), axis=0)
    told = {
        (score, name): Separation(arrays[score][inside], arrays[score][flags])
        for score in SCORES
        for name, flags in sets.items()
    }

    def score(drawn: np.ndarray) -> Values:
        known = drawn[inside]
        each = {pair: one.metrics(known, drawn[sets[pair[1]]]) for pair, one in told.items()}
        found: Values = {}
        for by in SCORES:
            for metric in METRICS:
                found[metric_name(metric, by)] = np.mean([each[by, name][metric] for name in sets], axis=0)
        first = SCORES[0]
        for group, names in groups.items() if len(groups) > 1 else ():
            for metric in OPENOOD:
                found[f"{group}_{metric}"] = np.mean([each[first, name][metric] for name in names], axis=0)
        return found | {f"{metric}_{name}": each[first, name][metric] for metric in METRICS for name in sets}

    return score
