# Functions of several files, and what happens before the first job and after the last.
from workflow.contracts import INDEX
from workflow.planning.plan import pattern
from workflow.planning.planned_run import CHECKED
from workflow.planning.preflight import check_before_start
from workflow.planning.rerun import ancient_if_exists
from workflow.training.resume.publish_backup import remove_backups
from workflow.training.distributed.launch import declare_gpu_resource

declare_gpu_resource(workflow, plan.resources["gpus"], plan.resources.get("jobs_per_gpu", 1))


wildcard_constraints:
    set=pattern(plan.checks),
    key="[0-9a-f]{10}",
    backbone=plan.named("pretrained", "imported", "random"),
    p="|".join(map(str, plan.config["seeds"]["pretrain"])),
    s="|".join(map(str, plan.config["seeds"]["transfer"])),


onstart:
    check_before_start(plan.jobs, workflow.resource_settings.cores)


onsuccess:
    remove_backups(run.state for run in plan.jobs)


def run_inputs(wildcards):
    """The named inputs of the run that the wildcards of an output name."""
    return plan.find(wildcards).inputs(ancient)


def data_inputs(folder):
    """The named inputs of a folder that is made from the data only: no reason to make it again where it is there."""
    settled = ancient_if_exists(ancient, f"{folder}/{INDEX}")
    return {"check": settled(plan.making(folder).check), "gate": settled(CHECKED)}


def figure_inputs(name):
    """The named inputs of a task's figure, files of the runs that are shown and the check of their data, as a function."""

    def inputs(wildcards):
        figure, task = plan.task_figures[f"{name}_{wildcards.task}"]
        drawn = f"{plan.folder}/{name}_{task}{figure.suffix}"
        check = ancient_if_exists(ancient, drawn)(plan.shown(task)[0].check)
        return {"files": plan.files(task, *figure.reads), "check": check}

    return inputs


def figure_memory(name):
    """MB for a task's figure, as a function of the wildcards."""
    return lambda wildcards: plan.task_figures[f"{name}_{wildcards.task}"][0].memory_mb


def in_report(path, figure, room):
    """A figure as `snakemake --report` shows it; what is no picture is only a part of the page."""
    if not figure.picture:
        return path
    caption = str(room / f"report/{figure.name}.rst")
    return report(path, caption=caption, category=figure.title, labels={"task": "{task}"})
