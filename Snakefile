# One ResNet-50 per regularizer, three networks, one recipe, one table. What: config/README.md; how: workflow/planning/plan.py.
import sys

from snakemake.utils import min_version

min_version("9.0")

from workflow.core.job_environment import prepare_jobs
from workflow.planning.preflight import load_plan

if not (config or workflow.configfiles):

    configfile: f"{workflow.basedir}/config/demo.yaml"


fetching = "data" in sys.argv  # Snakemake does not know its targets yet
plan = load_plan(workflow.configfiles, workflow.config_settings.config, fetched=not fetching)
prepare_jobs(workflow.basedir)


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/backbones.smk"
include: "workflow/rules/tasks.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        plan.report,


onerror:
    print("Stopped. The reason stands above and in the log of the failed job; the same command resumes.")
