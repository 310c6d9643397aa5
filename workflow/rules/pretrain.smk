# Three origins of a backbone, one shape of what they leave: pretrained here, brought as a file, random.
# `tracked` is what Snakemake compares to decide on a re-run; `run` has the machine too (threads, workers, GPUs), and
# because its function asks for `threads` Snakemake does not compare it.
# `runtime`, in minutes, is for batch systems: what takes longer goes on with its next try, if it is a training. `nodes`
# is for Slurm, which would else look for a job's GPUs on several.
from workflow.preflight import look_over
from workflow.training.finished import tidy
from workflow.training.launch import offer

offer(workflow, plan.config["gpus"])


onstart:
    look_over(plan.runs, workflow.resource_settings.cores)


onsuccess:
    tidy(run.state for run in plan.runs)


rule pretrain:
    input:
        check=lambda w: plan.find(w).settled(ancient)(plan.find(w).check),
        gate=lambda w: plan.find(w).settled(ancient)("results/data/checked.txt"),
    output:
        weights="results/backbones/{backbone}-{key}/seed{p}/backbone.safetensors",
        card="results/backbones/{backbone}-{key}/seed{p}/backbone.md",
        record="results/backbones/{backbone}-{key}/seed{p}/metrics.json",
        config="results/backbones/{backbone}-{key}/seed{p}/config.json",
        evidence="results/backbones/{backbone}-{key}/seed{p}/evidence.npz",
    log:
        "results/backbones/{backbone}-{key}/seed{p}/log.txt",
    wildcard_constraints:
        backbone=plan.named("pretrained"),
    conda:
        "../../environment.yml"
    threads: lambda w: plan.find(w).cores
    resources:
        gpu=lambda w: plan.find(w).gpus,
        mem_mb=lambda w: plan.memory(plan.find(w)),
        nodes=1,
        runtime=plan.minutes,
    params:
        tracked=lambda w: plan.find(w).tracked,
        run=lambda w, threads: plan.find(w).json,
        state=lambda w: plan.find(w).state,
        out=subpath(output.record, parent=True),
    shell:
        "python -m workflow.training.launch pretrain.train --run {params.run:q} --data {input.check:q}"
        " --state {params.state:q} --out {params.out:q} 2>&1 | keep {log:q}"


rule import_backbone:
    input:
        checkpoint=lambda w: ancient(plan.find(w).run["recipe"]["checkpoint"]),
        check=lambda w: plan.find(w).settled(ancient)(plan.find(w).check),
        gate=lambda w: plan.find(w).settled(ancient)("results/data/checked.txt"),
    output:
        weights="results/backbones/{backbone}-{key}/seed{p}/backbone.safetensors",
        card="results/backbones/{backbone}-{key}/seed{p}/backbone.md",
        record="results/backbones/{backbone}-{key}/seed{p}/metrics.json",
        config="results/backbones/{backbone}-{key}/seed{p}/config.json",
        evidence="results/backbones/{backbone}-{key}/seed{p}/evidence.npz",
    log:
        "results/backbones/{backbone}-{key}/seed{p}/log.txt",
    wildcard_constraints:
        backbone=plan.named("brought"),
    conda:
        "../../environment.yml"
    threads: lambda w: plan.find(w).cores
    resources:
        gpu=lambda w: plan.find(w).gpus,
        mem_mb=lambda w: plan.memory(plan.find(w)),
        runtime=plan.minutes,
    params:
        tracked=lambda w: plan.find(w).tracked,
        run=lambda w, threads: plan.find(w).json,
        state=lambda w: plan.find(w).state,
        out=subpath(output.record, parent=True),
    shell:
        "python -m workflow.training.launch pretrain.import_backbone --run {params.run:q}"
        " --checkpoint={input.checkpoint:q} --data {input.check:q} --state {params.state:q} --out {params.out:q}"
        " 2>&1 | keep {log:q}"


rule random_backbone:
    input:
        check=lambda w: plan.find(w).settled(ancient)(plan.find(w).check),
        gate=lambda w: plan.find(w).settled(ancient)("results/data/checked.txt"),
    output:
        weights="results/backbones/{backbone}-{key}/seed{p}/backbone.safetensors",
        card="results/backbones/{backbone}-{key}/seed{p}/backbone.md",
        record="results/backbones/{backbone}-{key}/seed{p}/metrics.json",
        config="results/backbones/{backbone}-{key}/seed{p}/config.json",
        evidence="results/backbones/{backbone}-{key}/seed{p}/evidence.npz",
    log:
        "results/backbones/{backbone}-{key}/seed{p}/log.txt",
    wildcard_constraints:
        backbone=plan.named("random"),
    conda:
        "../../environment.yml"
    threads: lambda w: plan.find(w).cores
    resources:
        gpu=lambda w: plan.find(w).gpus,
        mem_mb=lambda w: plan.memory(plan.find(w)),
        runtime=plan.brief,
    params:
        tracked=lambda w: plan.find(w).tracked,
        run=lambda w, threads: plan.find(w).json,
        out=subpath(output.record, parent=True),
    shell:
        "python -m workflow.training.launch pretrain.random_backbone --run {params.run:q} --data {input.check:q}"
        " --out {params.out:q} 2>&1 | keep {log:q}"
