# Three origins of a backbone, one shape of what they leave: pretrained here, imported from a file, random.
# `tracked` is what Snakemake compares to decide on a re-run; `command` has the machine too (threads, workers, GPUs), and
# because its function asks for `threads` Snakemake does not compare it.
# `runtime`, in minutes, is for batch systems: what takes longer goes on with its next try, if it is a training. `nodes`
# is for Slurm, which would else look for a job's GPUs on several.


rule pretrain:
    input:
        unpack(run_inputs),
    output:
        weights="results/backbones/{backbone}-{key}/seed{p}/backbone.safetensors",
        card="results/backbones/{backbone}-{key}/seed{p}/README.md",
        record="results/backbones/{backbone}-{key}/seed{p}/metrics.json",
        config="results/backbones/{backbone}-{key}/seed{p}/config.json",
        evidence="results/backbones/{backbone}-{key}/seed{p}/per_image.npz",
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
        runtime=lambda w: plan.runtime(plan.find(w)),
    params:
        tracked=lambda w: plan.find(w).tracked,
        command=lambda w, threads: plan.find(w).command,
    shell:
        "python -m workflow.training.distributed.launch {params.command:q} 2>&1 | keep {log:q}"


use rule pretrain as import_backbone with:
    wildcard_constraints:
        backbone=plan.named("imported"),


use rule pretrain as random_backbone with:
    wildcard_constraints:
        backbone=plan.named("random"),
