"""The schema of a config: workflow/schemas/config.schema.yaml with the declared tasks, data sets, networks and
regularizers, and its objections in words. Each is one line that begins with the key."""

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from workflow import registry
from workflow.config import regularizers
from workflow.config.yaml_loader import Loader, format_value
from workflow.registry import PRETRAIN

SCHEMA = Path(__file__).parents[1] / "schemas/config.schema.yaml"
TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
TYPE = {"task": "Type of the task.", "layout": "Layout of the set on disk."}
RENAMED = {  # a former key of the config to today's: whoever has an old file is told
    "threads": "resources.cpu_threads",
    "workers": "resources.num_workers",
    "gpus": "resources.gpus",
    "minutes": "resources.job_minutes",
    "memory": "resources.job_memory_gb",
    "from": "source",
    "batch": "batch_size",
    "steps": "milestones",
    "warmup": "warmup_iters",
    "evaluate_every": "eval_interval",
    "rois": "rois_per_image",
    "short_side": "min_size",
    "long_side": "max_size",
    "lighting": "pca_lighting",
    "proposals": "rpn_post_nms_top_n",
    "roi_size": "roi_output_size",
    "threshold": "min_word_count",
    "embedding": "embed_size",
    "hidden": "hidden_size",
    "beam": "beam_size",
    "finetune": "finetune_encoder",
    "views": "num_views",
    "size": "crop_size",
    "resize": "val_resize_size or resize_size",
    "crop": "crop_size",
    "bn": "freeze_bn",
    "block": "block_size",
    "keep": "keep_prob",
    "drop": "drop_prob",
    "weights": "checkpoint_key",
}
Named = tuple[tuple[str, str], ...]  # an instance with the type that its section names


def instances(config: object) -> tuple[Named, Named]:
    """The tasks and the data sets of a config that is not checked yet, each with the type that it names."""
    return _named(config, "tasks", "task"), _named(config, "data", "layout")


def _named(config: object, section: str, key: str) -> Named:
    found = config.get(section) if isinstance(config, dict) else None
    pairs = found.items() if isinstance(found, dict) else ()
    return tuple((name, str(each[key])) for name, each in pairs if isinstance(each, dict) and key in each)


@functools.cache
def validator(tasks: Named = (), data: Named = ()) -> jsonschema.Draft202012Validator:
    """The compiled schema, with the keyword `ascending`."""
    extended = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"ascending": unsorted})
    return extended(config_schema(tasks, data))


def config_schema(tasks: Named = (), data: Named = ()) -> dict[str, Any]:
    """The schema with what is declared and the instances that a config names."""
    schema = yaml.load(SCHEMA.read_text(encoding="utf-8"), Loader)
    sections, defs, types = schema["properties"], schema["$defs"], dict(registry.task_schemas())
    sections["pretrain"] = recipe = types.pop(PRETRAIN)
    sections["tasks"]["properties"] = with_instances(types, "task", dict(tasks))
    sections["data"]["properties"] = with_instances(registry.dataset_schemas(), "layout", dict(data))
    defs["pretrain"] = {key: value for key, value in recipe.items() if key != "required"}
    defs["network"] |= network_names()
    defs["regularizers"]["properties"] = regularizers.schema()
    return schema


def network_names() -> dict[str, Any]:
    """The names of networks, those of families by their prefix: whether there is one is not for a schema."""
    names = [re.escape(name) for name in registry.networks()]
    names += [f"{re.escape(family.prefix)}[A-Za-z0-9_.]+" for family in registry.network_families()]
    shown = registry.network_names()
    return {"pattern": f"^({'|'.join(names)})\\Z", "expected": " or ".join(shown), "examples": shown}


def unsorted(_: object, rule: bool, value: Any, __: object) -> Iterator[jsonschema.ValidationError]:
    """The keyword `ascending: true`, which JSON Schema lacks: the numbers of a list do not fall."""
    numbers = isinstance(value, list) and all(isinstance(each, int | float) for each in value)
    if rule and numbers and value != sorted(value):
        yield jsonschema.ValidationError("not ascending")


def with_instances(types: dict[str, Any], key: str, named: dict[str, str]) -> dict[str, Any]:
    """The schemas of types by their own names, and of instances by theirs. Each may say its type (`key`), and a task
    its data set."""
    kind = {"type": "string", "enum": list(types), "default": "the section's name", "description": TYPE[key]}
    data = {"$ref": "#/$defs/name", "default": "the task's own set", "description": "Name of its dataset in `data`."}
    more = {key: kind} | ({"data": data} if key == "task" else {})
    open_types = {name: schema | {"properties": schema["properties"] | more} for name, schema in types.items()}
    unknown = {"type": "object", "properties": {key: kind}}
    return open_types | {name: open_types.get(kind, unknown) for name, kind in named.items()}


def schema_faults(config: object) -> Iterator[str]:
    """What the schema objects to, in the order of the config's keys."""
    errors = validator(*instances(config)).iter_errors(config)
    for error in sorted(errors, key=lambda e: [str(part) for part in e.absolute_path]):
        yield describe(error)


def dotted(parts: Sequence[str | int]) -> str:
    """`tasks.ssd_voc.steps[1]`"""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def describe(error: jsonschema.ValidationError) -> str:
    """One line about one fault, key first."""
    kind = str(error.validator)
    rule: Any = error.validator_value
    value: Any = error.instance
    path = list(error.absolute_path)
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    known = schema.get("properties", {})
    if kind == "additionalProperties":
        unknown = next(key for key in value if key not in known)
        new = RENAMED.get(unknown, "")
        fits = {*re.split(r"\W+| or ", new)} & {*known}
        more = f"now {new}" if fits else f"known: {', '.join(known)}"
        return f"{dotted([*path, unknown])}: unknown {schema.get('title', 'key')} ({more})"
    if kind == "required":
        absent = next(key for key in rule if key not in value and repr(key) in error.message)
        return f"{dotted([*path, absent])}: missing {schema.get('title', 'key')}"
    if "propertyNames" in error.absolute_schema_path:
        path, value = [*path, value], value
    return f"{dotted(path)}: {demand(kind, rule, schema)}, not {format_value(value)}"


def demand(kind: str, rule: Any, schema: Mapping[str, Any]) -> str:
    """What the schema wants at this place."""
    if kind == "type":
        return "must be " + " or ".join(TYPES[each] for each in ([rule] if isinstance(rule, str) else rule))
    least = "" if schema.get("maxItems") == rule else "at least "
    wording: dict[str, Callable[[], str]] = {
        "enum": lambda: f"must be {' or '.join(map(str, rule))}",
        "pattern": lambda: f"must be {schema['expected']}",
        "minimum": lambda: f"must be at least {rule}",
        "maximum": lambda: f"must be at most {rule}",
        "exclusiveMinimum": lambda: f"must be above {rule}",
        "exclusiveMaximum": lambda: f"must be below {rule}",
        "minItems": lambda: "must not be empty" if rule == 1 else f"must have {least}{rule} values",
        "maxItems": lambda: f"must have {rule} values",
        "minProperties": lambda: "must not be empty",
        "minLength": lambda: "must not be empty",
        "maxLength": lambda: f"must have at most {rule} characters",
        "uniqueItems": lambda: "must not contain duplicates",
        "ascending": lambda: "must be in ascending order",
    }
    return wording[kind]()
