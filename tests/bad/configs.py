"""Configs that are refused by `python -m workflow.config`, and so by every call of Snakemake."""

import copy
import functools
from pathlib import Path
from typing import Any

import yaml

from tests.bad.cases import Case, Damage, write
from tests.demo import demo
from workflow.config.loading import overlay
from workflow.config.yaml_loader import GROWN

FILE = "x.yaml"
GONE = object()
# The demo's config, with the values that lines of the table quote.
QUOTED = {"faster_rcnn_voc": {"batch_size": 4}, "nic_coco": {"resize_size": 96, "crop_size": 80}}
DEMO = overlay(demo(), {"pretrain": {"batch_size": 64}, "tasks": QUOTED | {"ssd_voc": {"batch_size": 8}}})
ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


def value(path: str, new: Any, base: dict[str, Any] = DEMO) -> Damage:
    """The demo's config (or another one) with another value at a path, or without it."""

    def damage(root: Path) -> None:
        config = copy.deepcopy(base)
        *parents, last = path.split("/")
        place = functools.reduce(lambda node, key: node[key], parents, config)
        if new is GONE:
            del place[last]
        else:
            place[last] = new
        (root / FILE).write_text(yaml.safe_dump(config, allow_unicode=True))

    return damage


def text(content: str | bytes) -> Damage:
    """A file with this text alone."""
    return write(FILE, content)


NO_FILE = "backbones.mine.checkpoint: no such file: weights/none.pth"
CONFIGS = [
    Case("no such file", "x.yaml: cannot be read: No such file or directory", lambda root: None),
    Case("a folder", "x.yaml: cannot be read: Is a directory", lambda root: (root / FILE).mkdir()),
    Case("a link to itself", "x.yaml: cannot be read: …", lambda root: (root / FILE).symlink_to(FILE)),
    Case("empty", "x.yaml: not a mapping of keys to values", text("")),
    Case("a list", "x.yaml: not a mapping of keys to values", text("- experiment\n")),
    Case("a bracket that stays open", "x.yaml:3: not YAML: …", text("a: 1\nb: [1\n")),
    Case("a tab", "x.yaml:2: not YAML: found character '\\t' that cannot start any token", text("a: 1\n\tb: 2\n")),
    Case("Latin-1", "x.yaml: not UTF-8 text: byte 3: invalid continuation byte", text(b"a: \xe9\n")),
    Case("two documents", "x.yaml:2: not YAML: but found another document", text("a: 1\n---\nb: 2\n")),
    Case("UTF-16", "x.yaml: not UTF-8 text: byte 0: invalid start byte", text("a: 1\n".encode("utf-16"))),
    Case("bytes that are no text", "x.yaml: not YAML: unacceptable character #x0000: …",
         text(b"a: \x00\x01\n")),
    Case("nested 100,000 deep", "x.yaml: nested too deeply", text("[" * 100_000)),
    Case("JSON nested 3,000 deep", "x.yaml: nested too deeply", text('{"a": ' * 3000 + "1" + "}" * 3000)),
    Case("JSON with a key twice", "x.yaml:1: duplicate key 'threads'", text('{"threads": 1, "threads": 2}')),
    Case("a number of 5,000 digits", "x.yaml:1: '999… is no int: put it in quotes", text(f"a: {'9' * 5000}\n")),
    Case("a merge of what is no mapping", "x.yaml:1: not YAML: expected a mapping or list of mappings for merging, …",
         text("a: {<<: 5}\n")),
    Case("an alias of nothing", "x.yaml:1: not YAML: found undefined alias 'a'", text("a: *a\n")),
    Case("a key that stands twice", "x.yaml:2: duplicate key 'threads'", text("threads: 1\nthreads: 2\n")),
    Case("a key that is a number", "x.yaml:1: the key 1 is not text: put it in quotes", text("1: 2\n")),
    Case("a date that is none", "x.yaml:1: '2024-99-99' is no timestamp: put it in quotes", text("a: 2024-99-99\n")),
    Case("nested 3,000 deep", "x.yaml: nested too deeply", text(f"a: {'[' * 3000}{']' * 3000}\n")),
    Case(
        "aliases of aliases (a bomb)", f"x.yaml: {GROWN}",
        text(ALIASES),
    ),
    Case(
        "a value that contains itself",
        f"x.yaml: {GROWN}",
        text("a: &a [*a]\n"),
    ),
    Case(
        "a tag that would run code",
        "x.yaml:1: not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os…",
        text("a: !!python/object/apply:os.system [touch ran]\n"),
    ),
    Case("a key that is missing", "x.yaml: seeds: missing key", value("seeds", GONE)),
    Case("a key that nobody knows", "x.yaml: pretrain.epoch: unknown key (known: …)", value("pretrain/epoch", 3)),
    Case(
        "a misspelt regularizer", "x.yaml: backbones.a.regularizers.cutmx: unknown regularizer (known: …)",
        value("backbones/a", {"regularizers": {"cutmx": {}}}),
    ),
    Case("text for a number", "x.yaml: pretrain.lr: must be a number, not 'fast'", value("pretrain/lr", "fast")),
    Case("no number", "x.yaml: pretrain.lr: must be a finite number, not nan", value("pretrain/lr", float("nan"))),
    Case("a negative number", "x.yaml: tasks.ssd_voc.batch_size: must be at least 1, not -4",
         value("tasks/ssd_voc/batch_size",
         -4)),
    Case("a seed of 64 bits", "x.yaml: seeds.transfer[0]: must be at most 4294967295, not 9223372036854775807",
         value("seeds/transfer", [2**63 - 1])),
    Case("a size of a billion px", "x.yaml: tasks.ssd_voc.size: must be at most 8192, not 1000000000",
         value("tasks/ssd_voc/size", 10**9)),
    Case("a name that is a path", "x.yaml: experiment: must be a name of letters, digits, …, not '../x'",
         value("experiment", "../x")),
    Case("a name with a line end", "x.yaml: experiment: must be a name of letters, digits, …, not 'demo\\n'",
         value("experiment", "demo\n")),
    Case("a name of 300 letters", "x.yaml: experiment: must have at most 100 characters, not '…",
         value("experiment", "x" * 300)),
    Case("a root with a line end", "x.yaml: data.imagenet.root: must be text without control characters, not 'a\\nb'",
         value("data/imagenet", {"root": "a\nb"})),
    Case("both drawn and a root", "x.yaml: data.imagenet: needs exactly one of synthetic and root",
         value("data/imagenet/root", "data/imagenet")),
    Case("the same class twice", "x.yaml: data.voc.classes: must not contain duplicates, not [\"car\", \"car\"]",
         value("data/voc", {"root": "data/VOCdevkit", "classes": ["car", "car"]})),
    Case("a network that a task cannot take",
         "x.yaml: backbones.vit: tasks.… cannot take a … (backbones.vit.network: timm/vit_tiny_patch16_224): …; it …",
         value("backbones/vit", {"network": "timm/vit_tiny_patch16_224"})),
    Case("two baselines of one network",
         "x.yaml: backbones.b: a too is a resnet18 without a regularizer, and the baseline of a network is one row",
         value("backbones", {"baseline": {}, "a": {"network": "resnet18"}, "b": {"network": "resnet18"}})),
    Case("a baseline with a regularizer",
         "x.yaml: backbones.baseline: not the baseline of resnet50, its row that is pretrained here without a …",
         value("backbones/baseline", {"regularizers": {"mixup": {"alpha": 1, "probability": 1}}})),
    Case("an imported row called baseline, next to the baseline of its network",
         "x.yaml: backbones.baseline: not the baseline of resnet50, … without a regularizer; mine is that; choose …",
         value("backbones", {"baseline": {"checkpoint": FILE}, "mine": {}})),
    Case("a checkpoint that is not there", f"x.yaml: {NO_FILE}",
         value("backbones/mine", {"checkpoint": "weights/none.pth"})),
    Case("a checkpoint with braces in its name",
         "x.yaml: backbones.mine.checkpoint: Snakemake takes braces for wildcards: {seed}.pth",
         value("backbones/mine", {"checkpoint": "{seed}.pth"})),
    Case("a name that weights of a library cannot have",
         "x.yaml: backbones.mine.checkpoint: no name of weights: timm:../x (as in timm:convnext_tiny.fb_in22k_ft_in1k…",
         value("backbones/mine", {"checkpoint": "timm:../x"})),
    Case("weights of a library for another network",
         "x.yaml: backbones.mine.checkpoint: timm:convnext_tiny.fb_in1k is not a ResNet-50 (pretrain.network: "
         "resnet50): declare `network: timm/convnext_tiny`",
         value("backbones/mine", {"checkpoint": "timm:convnext_tiny.fb_in1k"})),
    Case("a checkpoint that is random too", "x.yaml: backbones.mine: checkpoint and init cannot be combined (…)",
         value("backbones/mine", {"checkpoint": "x", "init": "random"})),
    Case("a mean in units of 0 to 1",
         "x.yaml: backbones.mine.preprocessing: mean and std are in units of 0 to 1, but …",
         value("backbones/mine", {"checkpoint": FILE, "preprocessing": {
             "channel_order": "RGB", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}})),
    Case("yes for a number", "x.yaml: resources.cpu_threads: must be a whole number, not true",
         value("resources/cpu_threads", True)),
    Case("a number in quotes", "x.yaml: tasks.ssd_voc.batch_size: must be a whole number, not '8'",
         value("tasks/ssd_voc/batch_size", "8")),
    Case("half a batch", "x.yaml: tasks.ssd_voc.batch_size: must be a whole number, not 8.5",
         value("tasks/ssd_voc/batch_size", 8.5)),
    Case("nothing for a mapping", "x.yaml: tasks: must be a mapping, not null", value("tasks", None)),
    Case("no task", "x.yaml: tasks: must not be empty, not {}", value("tasks", {})),
    Case("a number for a list", "x.yaml: seeds.transfer: must be a list, not 3", value("seeds/transfer", 3)),
    Case("a seed twice", "x.yaml: seeds.transfer: must not contain duplicates, not [1, 1]",
         value("seeds/transfer", [1, 1])),
    Case("a million workers", "x.yaml: resources.num_workers: must be at most 1024, not 1000000",
         value("resources/num_workers", 10**6)),
    Case("a captioner of a billion units", "x.yaml: tasks.nic_coco.hidden_size: must be at most 100000, not 1000000000",
         value("tasks/nic_coco/hidden_size", 10**9)),
    Case("a rate of 401 digits", "x.yaml: pretrain.lr: must be at most 9007199254740992, not 1000…",
         value("pretrain/lr", 10**400)),
    Case("a root in ~", "x.yaml: data.imagenet.root: ~ does not become your home folder: write it out, not '~/x'",
         value("data/imagenet", {"root": "~/x"})),
    Case("records in a folder that is not there", "x.yaml: records[0]: no such folder: docs/results/none",
         value("records", ["docs/results/none"])),
    Case("a folder without a record", "x.yaml: records[0]: no record in empty (<task>/<backbone>/p0s0/metrics.json)",
         lambda root: ((root / "empty").mkdir(), value("records", ["empty"])(root))),
    Case("one folder of records twice", 'x.yaml: records: must not contain duplicates, not ["a", "a"]',
         value("records", ["a", "a"])),
    Case("an experiment where data lie", "x.yaml: experiment: results/data holds something else; choose another name",
         value("experiment", "data")),
    Case("a folder for a checkpoint", "x.yaml: backbones.mine.checkpoint: a folder (name the file of weights in it): .",
         value("backbones/mine", {"checkpoint": "."})),
    Case("a variant of CutMix that there is not",
         "x.yaml: backbones.a.regularizers.cutmix.label: must be area or one_hot or complete, not 'both'",
         value("backbones/a", {"regularizers": {"cutmix": {"alpha": 1, "probability": 1, "label": "both"}}})),
    Case("ShakeDrop without an end", "x.yaml: backbones.a.regularizers.shakedrop.drop_prob: must be below 1, not 1",
         value("backbones/a", {"regularizers": {"shakedrop": {"drop_prob": 1, "probability": 1}}})),
    Case("two regularizers that both mix", "x.yaml: backbones.a.regularizers: cutmix and mixup cannot be combined: …",
         value("backbones/a", {"regularizers": {key: {"alpha": 1, "probability": 1} for key in ("mixup", "cutmix")}})),
    Case("a crop larger than the image", "x.yaml: tasks.nic_coco.crop_size: 200 is larger than resize_size (96)",
         value("tasks/nic_coco/crop_size", 200)),
    Case("an address of another kind", "x.yaml: data.voc.source: must be a folder or an http(s) address, not 'ftp://x'",
         value("data/voc", {"root": "x", "classes": "voc", "source": "ftp://x"})),
    Case("more GPUs than a batch has images",
         "x.yaml: tasks.faster_rcnn_voc.batch_size: 4 is not a multiple of resources.gpus (8)…",
         value("resources/gpus", 8)),
    Case("jobs that share a GPU and take two",
         "x.yaml: resources.jobs_per_gpu: 4 jobs share one GPU, but each takes 2",
         value("resources", {"cpu_threads": 1, "num_workers": 0, "gpus": 2, "jobs_per_gpu": 4, "job_minutes": 60,
                             "job_memory_gb": 4})),
    Case("a batch of one, for batch norm",
         "x.yaml: tasks.nic_coco.batch_size: 1 leaves a process one sample, and batch norm needs two",
         value("tasks/nic_coco/batch_size", 1)),
    Case("a network that nobody knows", "x.yaml: pretrain.network: must be resnet18 or … or timm/NAME, not 'vgg16'",
         value("pretrain/network", "vgg16")),
    Case("a network that timm lacks", "x.yaml: pretrain.network: timm … has no network resnet5; did you mean …?",
         value("pretrain/network", "timm/resnet5")),
    Case("a PyramidNet that there is not",
         "x.yaml: pretrain.network: there is no network …: the depth of a PyramidNet of bottleneck blocks is 9 n + 2",
         value("pretrain/network", "pyramidnet111_a64_bottleneck")),
    Case("a network for images of one size", "x.yaml: pretrain.network: timm/mixer_s16_224 takes images of 224 …",
         value("pretrain/network", "timm/mixer_s16_224")),
    Case("no network", "x.yaml: pretrain.network: missing key", value("pretrain/network", GONE)),
    Case("no pretraining set", "x.yaml: pretrain.data: missing key", value("pretrain/data", GONE)),
    Case("a network in the overrides of a row",
         "x.yaml: backbones.a.pretrain.network: the network of a row stands in backbones.a.network; move it there",
         value("backbones/a", {"pretrain": {"network": "resnet18"}})),
    Case("a row's network that nobody knows", "x.yaml: backbones.a.network: must be resnet18 or …, not 'vgg16'",
         value("backbones/a", {"network": "vgg16"})),
    Case("a layer that the network of a row lacks",
         "x.yaml: backbones.a.regularizers.manifold_mixup.layers: a ResNet-18 (backbones.a.network: resnet18) has …",
         value("backbones/a", {"network": "resnet18", "regularizers": {"manifold_mixup": {
             "alpha": 1, "layers": ["layer5"], "probability": 1}}})),
    Case("data for one row", "x.yaml: backbones.a.pretrain.data: all rows have the one of pretrain.data; …",
         value("backbones/a", {"pretrain": {"data": "imagenet"}})),
    Case("a layer that the network lacks",
         "x.yaml: backbones.a.regularizers.manifold_mixup.layers: a ResNet-50 (pretrain.network: resnet50) has …",
         value("backbones/a", {"regularizers": {"manifold_mixup": {
             "alpha": 1, "layers": ["input", "layer5"], "probability": 1}}})),
    Case("a stride that the network cannot have",
         "x.yaml: backbones.mine.stride: must be 3x3, where the blocks of a ResNet-18 (pretrain.network: resnet18) …",
         value("pretrain/network", "resnet18", DEMO | {
             "backbones": {"baseline": {}, "mine": {"checkpoint": FILE, "stride": "1x1"}}})),
    Case("a step behind the end", "x.yaml: tasks.ssd_voc.milestones: 99999 is not before the end (…)",
         value("tasks/ssd_voc/milestones", [99999])),
]  # fmt: skip
