"""The registry finds every declaration, and a declaration says what the rest of the project needs of it."""

import ast
import importlib.util
import json
import re
import subprocess
import sys

import pytest
import yaml

from workflow import registry
from workflow.contracts import Metric, Task
from workflow.data.synthetic import generate

OTHER_MEANINGS = {
    ("workflow/planning/runs.py", "imagenet"),  # of an imported backbone: the channel statistics have the set's name
    ("workflow/config/schema.py", "finetune"),  # an earlier name of a captioner's key, for a hint
}


def test_what_is_declared_is_found():
    assert {"pretrain", "ssd_voc", "faster_rcnn_voc", "faster_rcnn_coco", "nic_coco"} <= set(registry.tasks())
    assert registry.transfer_tasks().keys() == registry.tasks().keys() - {"pretrain"}
    assert {"imagenet", "voc", "coco"} <= set(registry.datasets())
    assert {"resnet18", "resnet50"} <= set(registry.networks())


def test_planning_needs_no_torch():
    code = (
        "import json, sys; from workflow import registry; registry.tasks(); registry.datasets(); registry.networks(); "
    )
    code += "print(json.dumps([name for name in ('torch', 'numpy', 'mmengine') if name in sys.modules]))"
    assert json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout) == []


@pytest.mark.parametrize("task", registry.tasks().values(), ids=lambda task: task.name)
def test_a_task_names_what_there_is(task):
    assert task.room.is_dir()
    modules = [named.partition(":")[0] for one in task.resampling for named in (one.scorer, one.check) if named]
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    wanted = {task.kind, "cost", *(figure.subcommand for figure in task.figures), *(one.name for one in task.shared)}
    wanted |= {"preflight"} if task.preflight else set()
    assert wanted <= {run.__name__ for run in importlib.import_module(f"{task.folder}.cli").SUBCOMMANDS}
    data = registry.datasets()[task.dataset]
    assert task.sample in data.samples
    for counts in data.counts.values():
        assert {*task.train_parts, task.test_part} <= counts.keys()


@pytest.mark.parametrize("data", registry.datasets().values(), ids=lambda data: data.name)
@pytest.mark.parametrize("split", ["2014", "karpathy"])
def test_a_synthetic_set_has_the_counts_that_are_declared(data, split, tmp_path):
    """What `make cost` expects of a set that is not made yet, and of one that is made to time a task on."""
    section = {"split": split} if data.name == "coco" else {}
    size = {} if data.fixed_size else {"size": 48}
    spec = {"classes": 3, **size, "seed": 0, **data.small(section, batch=3)}
    generate.make(data.name, spec, tmp_path / "data")
    section |= {"synthetic": spec}
    check = importlib.import_module(data.module).check(section, tmp_path / "data")
    assert data.made_counts(section).items() <= check.counts.items()
    for path in data.samples.values():
        value = check.as_dict()
        for key in path:
            value = value[key]
        assert value > 0


def test_a_name_is_declared_once(monkeypatch):
    monkeypatch.setattr("detection.task.TASKS", (registry.tasks()["nic_coco"],))
    with pytest.raises(ValueError, match="nic_coco is declared twice"):
        registry.tasks.__wrapped__()


def literals(source):
    """The texts of a module, without its docstrings."""
    tree = ast.parse(source)
    with_docstring = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, with_docstring)
            and node.body and isinstance(node.body[0], ast.Expr)}  # fmt: skip
    strings = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {node.value for node in strings if id(node) not in docs}


def test_the_literals_of_a_module_are_found():
    assert literals('"""a"""\ndef f():\n    """b"""\n    return f"c{1}" + "d"\n') == {"c", "d"}


def test_a_declared_name_stands_in_its_own_files_only():
    """The files of a set have its name in theirs; names of tasks, metrics, figures and networks stand in no file."""
    tasks, datasets = registry.transfer_tasks().values(), registry.datasets()
    names = {name for task in tasks for name in (task.name, task.title, *(figure.name for figure in task.figures))}
    names |= {metric.name for task in registry.tasks().values() for metric in task.metrics}
    names |= {name for network in registry.networks().values() for name in (network.name, network.title)}
    files, found = sorted((registry.PROJECT / "workflow").rglob("*.py")), []
    assert len(files) > 90
    for file in files:
        own = {file.stem, *file.stem.split("_")}
        others = [data for name, data in datasets.items() if name not in own]
        if len(others) == len(datasets):  # a set's own file may call its parts like a figure: captions
            named = names | {name for data in others for name in (data.name, data.title)}
        else:
            named = {name for data in others for name in (data.name, data.title)}
        where = str(file.relative_to(registry.PROJECT))
        found += [(where, name) for name in sorted(literals(file.read_bytes()) & named)]
    assert [each for each in found if each not in OTHER_MEANINGS] == []


def texts(content):
    """The keys and the texts of a YAML file."""
    if isinstance(content, dict):
        return [text for pair in content.items() for each in pair for text in texts(each)]
    return [text for each in content for text in texts(each)] if isinstance(content, list) else [str(content)]


def test_a_declared_name_stands_in_no_schema_of_another():
    """Tasks, networks and layouts in workflow/schemas, and in the schema of a layout."""
    declared = [*registry.transfer_tasks().values(), *registry.networks().values(), *registry.datasets().values()]
    sets = {name: registry.PROJECT / f"workflow/data/sets/{name}.yaml" for name in registry.datasets()}
    files, found = {"": registry.PROJECT / "workflow/schemas/config.schema.yaml", **sets}, []
    for own, file in files.items():
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not own:  # the channel statistics of an imported backbone have a set's name
            del content["properties"]["backbones"]["additionalProperties"]["properties"]["preprocessing"]
        variant_of = own.partition("_")[0]  # a set of another set's classes
        others = [each for each in declared if each.name not in (own, variant_of)]
        names = {name for each in others for name in (each.name, each.title)}
        pattern = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, names))})(?![\w-])")
        found += [(file.name, name) for text in texts(content) for name in pattern.findall(text)]
    assert found == []


def test_the_schema_of_a_room_has_a_section_for_each_of_its_tasks():
    sections = {}
    for name, task in registry.tasks().items():
        sections.setdefault(task.room / "schema.yaml", set()).add(name)
    for file, names in sections.items():
        assert yaml.safe_load(file.read_text(encoding="utf-8")).keys() == names
    assert registry.task_schemas().keys() == registry.tasks().keys()
    assert registry.dataset_schemas().keys() == registry.datasets().keys()


@pytest.mark.parametrize("headlines", [0, 2])
def test_a_task_has_one_headline(headlines):
    metrics = tuple(Metric(f"m{n}", headline=n < headlines) for n in range(3))
    with pytest.raises(ValueError, match="exactly one metric must be the headline"):
        Task("t", "T", "pretrain", "imagenet", metrics)


def test_instances_name_their_type_and_their_data():
    config = {
        "pretrain": {},
        "tasks": {"ssd_voc": {}, "slow_ssd": {"task": "ssd_voc", "data": "mine"}},
        "data": {"imagenet": {}, "voc": {}, "mine": {"layout": "voc"}},
    }
    assert [registry.task_of(config, name).name for name in ("pretrain", "ssd_voc", "slow_ssd")] == [
        "pretrain",
        "ssd_voc",
        "ssd_voc",
    ]
    assert [registry.data_name(config, name) for name in ("pretrain", "ssd_voc", "slow_ssd")] == [
        "imagenet",
        "voc",
        "mine",
    ]
    assert [registry.layout_of(config, name).name for name in config["data"]] == ["imagenet", "voc", "voc"]
