# What captioning runs share: a frozen encoder's features are computed once for all transfer seeds, the vocabulary once
# for all runs. Slots: workflow/rules/backbones.smk. Outputs are `update`, as another Snakemake whose results are the
# same by a link may have made them since this one planned: Snakemake would remove them under its readers.
from workflow.planning.rerun import fingerprint

WORDS = "results/vocabularies/{data}-{key}/{min_word_count}"
FEATURES = "results/features/{backbone}-{key}/seed{p}/{views}"


localrules:
    vocabulary,


rule vocabulary:
    input:
        unpack(lambda w: data_inputs(WORDS.format(**w))),
    output:
        index=update(f"{WORDS}/index.json"),
    log:
        f"{WORDS}.log",
    wildcard_constraints:
        data=pattern(plan.checks),
        min_word_count=r"\d+",
    retries: 0
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        tracked=lambda w: fingerprint(plan.making(WORDS.format(**w)), WORDS.format(**w)),
        folder=subpath(output.index, parent=True),
    shell:
        "python -m captioning vocabulary --dataset-info {input.check:q} --min-word-count {wildcards.min_word_count:q}"
        " --out {params.folder:q} 2>&1 | keep {log:q}"


rule features:
    input:
        unpack(lambda w: plan.making(FEATURES.format(**w)).inputs(ancient)),
    output:
        index=update(f"{FEATURES}/index.json"),
    log:
        f"{FEATURES}.log",
    wildcard_constraints:
        views="[0-9a-f]{10}",
    conda:
        "../environment.yml"
    threads: lambda w: plan.making(FEATURES.format(**w)).cores
    resources:
        gpu=lambda w: plan.making(FEATURES.format(**w)).gpus,
        mem_mb=lambda w: plan.memory(plan.making(FEATURES.format(**w))),
        nodes=1,
        runtime=plan.minutes,
    params:
        tracked=lambda w: plan.making(FEATURES.format(**w)).tracked,
        command=lambda w, threads: plan.making(FEATURES.format(**w)).command,
    shell:
        "python -m workflow.training.distributed.launch {params.command:q} 2>&1 | keep {log:q}"
