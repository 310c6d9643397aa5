# What every rule that trains or evaluates needs: its inputs, and what happens before the first job and after the last.
from workflow.preflight import look_over
from workflow.training.finished import tidy
from workflow.training.launch import offer

offer(workflow, plan.config["gpus"])


onstart:
    look_over(plan.runs, workflow.resource_settings.cores)


onsuccess:
    tidy(run.state for run in plan.runs)


def run_inputs(wildcards):
    """The named inputs of the run that the wildcards of an output name."""
    return plan.find(wildcards).inputs(ancient)
