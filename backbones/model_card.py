"""The card beside a published backbone, `README.md`: what it is, how good, made of what, and how to load it.

One function for all three origins. File and class names are other people's text: they are escaped.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from backbones.checkpoint_weights import set_words
from workflow.core.dataset_info import DatasetInfo
from workflow.core.escaping import printable
from workflow.core.formatting import plain
from workflow.data.labelled import count_in_words, test_split, train_count
from workflow.planning.run_spec import RunSpec

KINDS = {"pretrained": "pretrained", "imported": "imported from a file", "random": "not trained"}
NAMES_SHOWN = 20  # of the classes; all of them are in CHECK.json
WEIGHTS = "backbone.safetensors"
LOAD = 'network.load_state_dict(safetensors.torch.load_file("backbone.safetensors"))'
SWAP = """for block in network.modules():  # stride: 1x1, in the first convolution of a stage's first block
    if hasattr(block, "conv3"):
        block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride"""


def write_card(
    out: Path,
    run: RunSpec,
    check_file: Path,
    *,
    of: dict[str, Any],
    metrics: dict[str, float],
    protocol: dict[str, Any],
    imported: dict[str, Any] | None = None,
) -> None:
    """Write `README.md` into `out`, where `backbone.safetensors` must be; atomically, and before the record.

    `of` is what the run is made of, `imported` what was found in an imported file (file, layout, weights, matched,
    left_over).
    """
    from huggingface_hub import ModelCard

    from backbones.backbone import network_of
    from workflow.core.files import atomic

    check, network = DatasetInfo.read(check_file), network_of(out / WEIGHTS)
    parts = [
        [f"# {escaped(run.backbone)}: a {network.title}, {KINDS[origin(out)]}", *summary(run, imported)],
        ["## Numbers", *numbers(metrics, protocol)],
        ["## Use", *use(out)],
        ["## Data", *data(origin(out), check, metrics)],
        ["## Recipe", table(("key", "value"), run.recipe.items())],
        ["## Made with", *trail(out, run, of)],
    ]
    front = front_matter(run, network.name, check, metrics).to_yaml()
    text = "\n\n".join(line for part in parts for line in part)
    with atomic(out / "README.md") as temporary:
        temporary.write_text(str(ModelCard(f"---\n{front}\n---\n\n{text}\n")), encoding="utf-8")


def front_matter(run: RunSpec, network: str, check: DatasetInfo, metrics: dict[str, float]) -> Any:
    """What the Hugging Face hub reads of a card (`ModelCardData`). No licence is claimed: whoever publishes the weights
    knows it. A data set of the hub is named only where its published counts are those that were checked."""
    from huggingface_hub import EvalResult, ModelCardData

    from workflow import registry

    official = registry.datasets()[check.set]
    complete = any(check.counts.items() >= counts.items() for counts in official.counts.values())
    published = complete and len(check.classes) == official.classes
    data = (official.hub or check.set) if published else "imagefolder"
    title = official.title if published else f"{len(check.classes)} classes in folders"
    scores = [
        EvalResult(
            task_type="image-classification",
            dataset_type=data,
            dataset_name=title,
            dataset_split=test_split(check),
            metric_type="accuracy",
            metric_name=f"Top-{key[3]} accuracy (%)",
            metric_value=round(100 - value, 4),
        )
        for key, value in metrics.items()
    ]
    return ModelCardData(
        license="unknown",
        pipeline_tag="image-classification",
        tags=["image-classification", "backbone-transfer", network, *run.recipe.get("regularizers", {})],
        datasets=[data] if published else None,
        model_name=run.backbone if scores else None,
        eval_results=scores or None,
    )


def origin(out: Path) -> str:
    """`pretrained`, `imported` or `random`."""
    from backbones.backbone import metadata

    return metadata(out / "backbone.safetensors")["origin"]


def summary(run: RunSpec, imported: dict[str, Any] | None) -> Iterator[str]:
    """What it is."""
    recipe = run.recipe
    if imported:
        yield (
            f"Imported from {code(imported['file'])}: {imported['layout']}, {set_words(imported['weights'])}, "
            f"{imported['matched']} keys matched, {len(imported['left_over'])} left over; "
            f"SHA-256 `{imported['sha256']}`."
        )
    elif "init" in recipe:
        yield f"Random weights, the usual initialisation with pretraining seed {run.seed}: the negative control."
    else:
        each = [f"{code(name)} ({escaped(plain(value))})" for name, value in recipe["regularizers"].items()]
        yield (
            f"Pretrained for {recipe['epochs']} epochs, pretraining seed {run.seed}; "
            f"regularizers: {', '.join(each) or 'none'}."
        )


def numbers(metrics: dict[str, float], protocol: dict[str, Any]) -> Iterator[str]:
    """Top-1 and top-5 error, on which images, after which epoch; or why there are none."""
    if metrics:
        yield table(("metric", "percent"), [(key, f"{value:.2f}") for key, value in metrics.items()])
        yield f"On {escaped(protocol['split'])}; epoch: {escaped(protocol['epoch'])}."
    else:
        why = escaped(protocol["split"])
        yield f"{why[:1].upper()}{why[1:]}."


def use(out: Path) -> Iterator[str]:
    """How its input is prepared, and the lines that load it into the network of each library that has it."""
    from backbones.backbone import load_weights, metadata, network_of

    (weights, prepare), network = load_weights(out / WEIGHTS), network_of(out / WEIGHTS)
    stride, last = metadata(out / WEIGHTS)["stride"], network.classifier
    classes = len(weights.get(f"{last}.bias", []))
    where = f" Stride of a stage's first block: in its {stride.replace('x', '×')} convolution."
    where = where if len(network.strides) > 1 else ""
    yield (
        f"Input: {prepare.channel_order} pixels of 0 to 255, minus mean {plain(prepare.mean)}, divided by std "
        f"{plain(prepare.std)}.{where}"
    )
    makers = {
        "torchvision": f"torchvision.models.{network.library_name}(num_classes={classes})",
        "timm": f'timm.create_model("{network.library_name}", num_classes={classes})',
    }
    module, _, function = network.constructor.partition(":")
    makers[module] = f'{module}.{function}("{network.name}", {classes or 1000}, zero_init_residual=False)'
    for library in network.libraries or [module]:
        lines = [
            f"import safetensors.torch, {'torch, ' * (not classes)}{library}",
            f"network = {makers[library]}",
            LOAD,
        ]
        if not classes and library != "timm":
            lines[1] = lines[1].replace("num_classes=0", "")
            lines[1] += f"\nnetwork.{last} = torch.nn.Identity()  # the file has no {last}"
        lines += [SWAP] if stride == "1x1" else []
        yield "```python\n" + "\n".join(lines) + "\n```"


def data(kind: str, check: DatasetInfo, metrics: dict[str, float]) -> Iterator[str]:
    """What it was trained or scored on; of a network that saw no data, what its classifier has its size from."""
    names = check.classes
    role = "Trained and scored on" if kind == "pretrained" else "Scored on" if metrics else "Not scored; planned with"
    yield (
        f"{role} {escaped(check.set)}: {len(names)} classes, {train_count(check)} training and "
        f"{count_in_words(check)}, fingerprint `{check.fingerprint}`."
    )
    more = f", and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    yield f"Classes: {', '.join(code(name) for name in names[:NAMES_SHOWN])}{more}."


def trail(out: Path, run: RunSpec, of: dict[str, Any]) -> Iterator[str]:
    """Hashes and versions."""
    from workflow.training.record import provenance

    found = provenance(run, of, out / "backbone.safetensors")
    hashes = [(f"SHA-256 of the {key}", f"`{found[key]}`") for key in ("backbone", "recipe", "code")]
    versions = [("Python", found["python"]), *found["libraries"].items(), ("device", escaped(found["device"]))]
    yield table(("what", "value"), hashes + versions, raw=True)


def table(head: tuple[str, str], rows: Iterable[tuple[str, object]], raw: bool = False) -> str:
    """A Markdown table of two columns; the values are escaped unless they are `raw`."""
    lines = [f"| {head[0]} | {head[1]} |", "|:--|:--|"]
    return "\n".join(lines + [f"| {code(key)} | {value if raw else escaped(plain(value))} |" for key, value in rows])


def escaped(text: object) -> str:
    """Text as Markdown shows it literally, in one line and in a cell of a table."""
    return re.sub(r"([\\`*_\[\]<>|~&#])", r"\\\1", printable(" ".join(str(text).split())))


def code(text: str) -> str:
    """Text in code type, or escaped where a backtick or a bar would end it."""
    line = printable(" ".join(text.split()))
    return escaped(line) if set("`|\\") & set(line) or not line else f"`{line}`"
