# Make or check the data sets. Bad input stops the DAG here, before the first training step.
import json

from snakemake.io import flag

from workflow.planning.dataset_classes import required_classes
from workflow.planning.dataset_size import required_sizes
from workflow.planning.rerun import ancient_if_exists


# On the host that submits to a cluster: nodes often have no network, and a check must speak before anything is queued.
# A profile's `retries` are for what is sent.
localrules:
    fetch_data,
    fetch_weights,
    make_data,
    check_data,
    checked,


# Only `snakemake data` asks for this. The folder is the user's and no output: Snakemake removes those of a failed job.
checkpoint fetch_data:
    output:
        record="results/data/{set}-{key}.fetched.json",
    log:
        "results/data/{set}-{key}.fetch.log",
    retries: 0
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        section=lambda w: plan.fetching(w.set),
        root=lambda w: plan.root(w.set),
        times=lambda w: plan.fetch_count(w.set),
        check=lambda w: plan.checks[w.set],
    shell:
        "python -m workflow.data.fetch.fetch {wildcards.set:q} --dataset-config {params.section:q} --root={params.root:q}"
        " --check {params.check:q} --times {params.times} --out {output.record:q} 2>&1 | keep {log:q}"


# Likewise: nothing that is planned has the weights' own folder as an output.
rule fetch_weights:
    output:
        record="results/data/weights/{library}/{name}.fetched.json",
    log:
        "results/data/weights/{library}/{name}.fetch.log",
    retries: 0
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        weights=lambda w: f"{w.library}:{w.name}",
        times=lambda w: plan.weights_fetch_count(f"{w.library}:{w.name}"),
    shell:
        "python -m workflow.data.fetch.weights {params.weights:q} --times {params.times} --out {output.record:q}"
        " 2>&1 | keep {log:q}"


rule make_data:
    output:
        root=directory("results/data/{set}-{key}"),
    log:
        "results/data/{set}-{key}.make.log",
    retries: 0
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        layout=lambda w: plan.layout(w.set).name,
        spec=lambda w: plan.section(w.set, "synthetic"),
    shell:
        "python -m workflow.data.synthetic.generate {params.layout:q} --spec {params.spec:q} --out {output.root:q}"
        " 2>&1 | keep {log:q}"


# `snakemake data`: nothing is downloaded without it.
rule data:
    input:
        fetched=list(plan.fetched.values()),
        weights=list(plan.library_weights.values()),
        checks=lambda w: plan.checked(checkpoints.fetch_data.get),


rule check_data:
    input:
        root=lambda w: plan.generated_dirs(w.set),
    output:
        check="results/data/{set}-{key}.json",
    log:
        "results/data/{set}-{key}.check.log",
    retries: 0
    conda:
        "../../environment.yml"
    # All that Snakemake was given; where it was given none (a cluster), as many as a training takes.
    threads: workflow.resource_settings.cores or plan.cores
    resources:
        mem_mb=2000,
    params:
        module=lambda w: plan.layout(w.set).module,
        section=lambda w: plan.section(w.set),
        root=lambda w: plan.root(w.set),
        # Asks for `threads` so that Snakemake does not compare it: another batch repeats no check (workflow/planning/dataset_size.py).
        needs=lambda w, threads: json.dumps(required_sizes(plan.config, w.set)),
    shell:
        "( python -m {params.module:q} --dataset-config {params.section:q} --root={params.root:q}"
        " --threads {threads} --out {output.check:q}"
        " && python -m workflow.planning.dataset_size --required-sizes {params.needs:q} --dataset-info {output.check:q} ) 2>&1 | keep {log:q}"


# What every training rule waits for: one file for all sets, under one name for all configs, so that another data set is
# a reason to run its own tasks again and no others. Its inputs are recorded as `gated` and not by their names, because
# Snakemake leaves out what hangs on an ancient file whose job it finds a reason to repeat (its issue 4166).
rule checked:
    input:
        checks=[
            ancient_if_exists(ancient, "results/data/all_checks_passed.txt")(flag(check, "sourcecache_entry", gated))
            for gated, check in plan.gate
        ],
    output:
        gate="results/data/all_checks_passed.txt",
    log:
        "results/data/checked.log",
    retries: 0
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=100,
    params:
        what="data checked before training",
        classes=lambda w, threads: json.dumps(required_classes(plan.config, plan.checks)),
    shell:
        "python -m workflow.planning.dataset_classes --pairs {params.classes:q} 2>&1 | keep {log:q}"
        " && echo {params.what:q} {input.checks:q} > {output.gate:q}"
