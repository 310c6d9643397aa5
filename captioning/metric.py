"""BLEU-1 to 4, METEOR, ROUGE_L and CIDEr of pycocoevalcap, called directly, in percent, and each image's share.

Not `COCOEvalCap.evaluate`: it always builds SPICE, which fetches models. Checked against the scorers themselves.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Event, Lock, Timer
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.bleu.bleu_scorer import cook_refs, cook_test
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor import meteor as meteor_package
from pycocoevalcap.meteor.meteor import METEOR_JAR, Meteor
from pycocoevalcap.rouge.rouge import Rouge

from captioning import jvm
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import write_json
from workflow.data import coco
from workflow.data.held_out import part_of
from workflow.training import per_image

Captions = dict[int, list[str]]
PerImage = dict[str, np.ndarray]


def one_each(predictions: Iterable[dict[str, Any]], image_ids: Iterable[int]) -> dict[int, str]:
    """The caption of each test image, in the order of `image_ids`; UserError unless each has exactly one."""
    expected, captions = list(image_ids), {}
    known = set(expected)
    for prediction in predictions:
        image_id = prediction["image_id"]
        if image_id not in known:
            raise UserError(f"predictions: image {image_id} is not in the test set")
        if image_id in captions:
            raise UserError(f"predictions: image {image_id} has more than one caption")
        captions[image_id] = prediction["caption"]
    missing = [image_id for image_id in expected if image_id not in captions]
    if missing:
        raise UserError(f"predictions: image {missing[0]} has no caption ({len(missing)} without one)")
    return {image_id: captions[image_id] for image_id in expected}


def tokenized(captions: Captions) -> Captions:
    """Every caption as the metrics count it (`jvm.tokenize`), with one start of the JVM."""
    lines = iter(jvm.tokenize([caption for several in captions.values() for caption in several]))
    return {image_id: [next(lines) for _ in several] for image_id, several in captions.items()}


class LocatedMeteor(Meteor):
    """pycocoevalcap's METEOR, told where its table of paraphrases is.

    METEOR 1.5 looks for it beside its jar, but encodes that address twice: it finds nothing if the path of the
    installed package has a blank or a letter that is not ASCII.
    """

    def __init__(self) -> None:
        folder = Path(meteor_package.__file__).absolute().parent
        table = ["-a", "data/paraphrase-en.gz"]
        self.meteor_cmd = ["java", "-Xmx2G", "-jar", METEOR_JAR, "-", "-", "-stdio", "-l", "en", "-norm", *table]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.meteor_p = subprocess.Popen(self.meteor_cmd, cwd=folder, **pipes)
        self.lock = Lock()


@contextlib.contextmanager
def meteor(captions: int) -> Iterator[Meteor]:
    """pycocoevalcap's METEOR on the pinned JVM, which is gone after the block whatever happened in it.

    UserError if the JVM dies, or hangs (it may take as long as that many captions need).
    """
    with jvm.environment():
        scorer = LocatedMeteor()
    process, limit, hung = scorer.meteor_p, jvm.patience(captions), Event()

    def end() -> None:
        hung.set()
        process.kill()  # whoever waits for its answer gets an empty one

    watch = Timer(limit, end)
    watch.start()
    try:
        yield scorer
    except (ValueError, OSError) as error:
        os.set_blocking(process.stderr.fileno(), False)
        cause = " ".join((process.stderr.read() or b"").decode(errors="replace").split())[-500:] or error
        what = f"gave no answer in {limit:.0f} s and was ended" if hung.is_set() else f"failed: {cause}"
        raise UserError(f"METEOR's JVM {what}") from None
    finally:
        watch.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()
        scorer.lock = Lock()  # an error inside leaves it taken, and the scorer's destructor would wait for ever


def score(references: Captions, predictions: Captions) -> tuple[dict[str, float], PerImage]:
    """All metrics in percent, from tokenized captions (one prediction each), and what each image has to do with them.

    That is, in the order of `references`: float64 (N,) in percent of those that are a mean over the images, and
    `bleu` and `meteor`, of whose sums BLEU and METEOR are made.
    """
    bleu, _ = Bleu(4).compute_score(references, predictions, verbose=0)
    metrics = {f"BLEU-{n}": 100 * value for n, value in enumerate(bleu, start=1)}
    each = {"bleu": np.array([counts(predictions[i][0], several) for i, several in references.items()])}
    with meteor(2 * sum(map(len, references.values()))) as scorer:  # each is asked for twice
        metrics["METEOR"] = 100 * float(scorer.compute_score(references, predictions)[0])
        each["meteor"] = np.array([matches(scorer, predictions[i][0], several) for i, several in references.items()])
    for name, scorer in (("ROUGE_L", Rouge()), ("CIDEr", Cider())):
        value, values = scorer.compute_score(references, predictions)
        metrics[name] = 100 * float(value)
        each[name] = 100 * np.asarray(values, dtype=np.float64)
    return metrics, each


def matches(scorer: Meteor, caption: str, references: list[str]) -> list[int]:
    """What METEOR 1.5 counts in a caption against its best reference, the 23 numbers of its own line of statistics.

    Lengths of caption and reference, their function words; for each of four kinds of match the content and function
    words matched on either side; chunks; words matched on either side. A caption that is its reference has no
    chunks: METEOR does not punish it. ValueError for any other answer: a JVM that has died gives an empty one.
    """
    found = [round(float(number)) for number in scorer._stat(caption, references).split()]
    if len(found) != 23:
        raise ValueError(f"{len(found)} of 23 numbers in the answer")
    if found[20] == 1 and found[21:] == found[:2]:
        found[20] = 0
    return found


def counts(caption: str, references: list[str]) -> list[int]:
    """What pycocoevalcap's BLEU counts in a caption: its right 1- to 4-grams (4), all of them (4), its length, and the
    closest reference's."""
    found = cook_test(caption, cook_refs(references), eff="closest")
    return [*found["correct"], *found["guess"], found["testlen"], found["reflen"]]


def evaluate(predictions: Sequence[dict[str, Any]], references: Captions) -> tuple[dict[str, float], PerImage]:
    """`score` for COCO caption results [{image_id, caption}] and tokenized references; UserError as in `one_each`."""
    captions = one_each(predictions, references)
    return score(references, tokenized({image_id: [caption] for image_id, caption in captions.items()}))


def references(check: str | Path, held_out: bool = False) -> Captions:
    """The tokenized captions of the test images that the data check describes, or of the held-out training images."""
    listed = coco.read(DatasetInfo.read(check), "train" if held_out else "test")
    rows = sorted(part_of(range(len(listed)), held_out or None))
    return tokenized({listed[row].image_id: listed[row].captions for row in rows})


@METRICS.register_module()
class CaptionMetric(BaseMetric):
    """Scores the captions of the whole test set, or of the held-out training images; keeps them and the evidence of the
    scores in the folder `keep`."""

    def __init__(self, check: str, keep: str, held_out: bool = False) -> None:
        super().__init__(collect_dir=f"{keep}/parts")
        self.check, self.keep, self.held_out = check, Path(keep), held_out
        self.references: Captions = {}

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict]) -> None:
        """One batch."""
        self.results.extend(data_samples)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """All batches."""
        self.references = self.references or references(self.check, self.held_out)
        metrics, each = evaluate(results, self.references)
        write_json(self.keep / "predictions.json", results)
        per_image.write(self.keep / "per_image.npz", list(self.references), **each)
        return metrics
