# The features of a frozen backbone on a set, computed once for all tasks that classify by them. Slots:
# workflow/rules/backbones.smk. The output is `update`, as in captioning/rules.smk.
EMBEDDINGS = "results/features/{backbone}-{key}/seed{p}/{embeddings}"


rule embeddings:
    input:
        unpack(lambda w: plan.making(EMBEDDINGS.format(**w)).inputs(ancient)),
    output:
        index=update(f"{EMBEDDINGS}/index.json"),
    log:
        f"{EMBEDDINGS}.log",
    wildcard_constraints:
        embeddings="embeddings-[0-9a-f]{10}",
    conda:
        "../environment.yml"
    threads: lambda w: plan.making(EMBEDDINGS.format(**w)).cores
    resources:
        gpu=lambda w: plan.making(EMBEDDINGS.format(**w)).gpus,
        mem_mb=lambda w: plan.memory(plan.making(EMBEDDINGS.format(**w))),
        nodes=1,
        runtime=plan.minutes,
    params:
        tracked=lambda w: plan.making(EMBEDDINGS.format(**w)).tracked,
        command=lambda w, threads: plan.making(EMBEDDINGS.format(**w)).command,
    shell:
        "python -m workflow.training.distributed.launch {params.command:q} 2>&1 | keep {log:q}"
